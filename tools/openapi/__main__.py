"""`make openapi`: writes the API's OpenAPI document and the table of problems in docs/problems.md.

`--check` writes nothing and fails if a file differs from what would be written.
"""

import json
import sys
from pathlib import Path

from tools.openapi.document import document
from tools.openapi.problems import with_problem_table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "functions" / "operations" / "openapi.json"
PROBLEMS = ROOT / "docs" / "problems.md"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them; return the process's status."""
    texts = {
        DOCUMENT: json.dumps(document(), indent=2, ensure_ascii=False) + "\n",
        PROBLEMS: with_problem_table(PROBLEMS.read_text("utf-8")),
    }
    changed = [file for file, text in texts.items() if not file.exists() or file.read_text("utf-8") != text]
    for file in changed:
        if "--check" in arguments:
            sys.stderr.write(f"{file.name} is not what the code says: `make openapi` writes it.\n")
        else:
            file.write_text(texts[file], "utf-8")
    return int("--check" in arguments and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
