"""PostgreSQL databases: the embedded one of this machine, and any that `make db-*` checks, adopts or upgrades."""

import sys
from pathlib import Path

# On Lambda the layer is on the path of every function; here this puts it there.
LAYER = str(Path(__file__).resolve().parent.parent / "shared")
if LAYER not in sys.path:
    sys.path.insert(0, LAYER)
