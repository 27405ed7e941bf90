"""`make checkov`: looks the expanded template over for insecure settings, with a checkov in an environment of its own.

What is meant as it is stands in template.yaml with its reason: under `Metadata` of a resource, or of the whole template
for all resources of a type.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.expansion import Document, expand, read

UV = Path(sys.executable).parent / "uv"
CHECKOV = "checkov==3.3.30"  # its requirements exclude those of SAM CLI, so it is in no lock of ours


def write_skips(document: Document) -> Document:
    """Return the expanded template whose resources have, each in its own metadata, the skips of their type."""
    expanded = expand(document)
    for resource in expanded["Resources"].values():
        skips = document["Metadata"]["checkov"].get(resource["Type"], {})
        own = resource.setdefault("Metadata", {}).setdefault("checkov", {}).setdefault("skip", [])
        own += [{"id": check, "comment": reason} for check, reason in skips.items()]
    return expanded


def main() -> int:
    """Run checkov, print what it finds, and return its status."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.json"
        file.write_text(json.dumps(write_skips(read()), indent=1))
        command = [
            *(str(UV), "tool", "run", "--python", sys.executable, "--from", CHECKOV, "checkov", "--file", str(file)),
            *("--framework", "cloudformation", "--compact", "--quiet", "--skip-download"),
        ]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
