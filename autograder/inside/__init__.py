"""What runs inside the sandbox: the fork server and the student's side of a grading. Imports nothing of ours from outside."""
