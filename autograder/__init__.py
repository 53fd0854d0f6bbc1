"""What an instructor runs: building the notebooks and grading a class."""

import sys

# jsonschema, which nbformat imports, would build a grammar of internationalised addresses with it: 1.3 s at every start.
# It does without where the package is missing, and no notebook's schema has such addresses.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
