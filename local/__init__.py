"""What runs the platform on a developer's machine, without Docker and without an AWS account."""

import sys
from pathlib import Path

# The layer, which Lambda puts on the path of every function, for the migrations and the demo data.
LAYER = str(Path(__file__).resolve().parent.parent / "shared")
if LAYER not in sys.path:
    sys.path.insert(0, LAYER)
