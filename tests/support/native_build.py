"""The build for this machine's processor, made once for all tests of a process."""

import functools
from pathlib import Path

from local.sam import build


@functools.cache
def native_build() -> Path:
    """Build functions and layers, and return the folder."""
    return build.build_native()
