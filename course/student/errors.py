"""What a user did wrong, said in one line."""


class UsageError(Exception):
    """A wrong call or a wrong file: its text is one clear line for the person who typed the command."""
