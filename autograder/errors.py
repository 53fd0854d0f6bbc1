"""What a user did wrong, said in one line."""

from course.student.errors import UsageError

__all__ = ["UsageError"]
