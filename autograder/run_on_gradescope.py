#!/usr/bin/env python3
"""The program ``run_autograder`` of what ``convnets export --format gradescope`` makes: it hands out marks, runs nothing.

Gradescope starts it once a submission. It copies the submitter's own results from marks.json to where Gradescope reads them; for
somebody without a mark it fails, and Gradescope shows no score.
"""

import json
import sys
from pathlib import Path


def main(base: Path) -> None:
    """Write results/results.json below ``base``, Gradescope's /autograder."""
    marks = json.loads((base / "source" / "marks.json").read_text("utf8"))
    users = json.loads((base / "submission_metadata.json").read_text("utf8"))["users"]
    emails = [user["email"].casefold() for user in users]
    found = [marks[name] for email in emails for name in (email, email.split("@")[0]) if name in marks]
    if not found:
        sys.exit(f"There is no mark for {', '.join(emails)}.")
    (base / "results" / "results.json").write_text(json.dumps(found[0]), "utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/autograder"))
