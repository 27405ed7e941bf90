"""Notices that files were edited, so that a running platform can follow."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

LOOK_INTERVAL = 0.1
"""Seconds between two looks at the files."""


class Sources:
    """Files, and all files below folders; bytecode does not count."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = sorted(set(roots))
        self._lock = threading.Lock()
        self._seen = self._times()
        self._next_look = 0.0

    def have_changed(self) -> bool:
        """Return whether a file was changed, added or removed since the last call that returned true."""
        with self._lock:
            if time.monotonic() < self._next_look:
                return False
            times = self._times()
            self._next_look = time.monotonic() + LOOK_INTERVAL
            changed, self._seen = times != self._seen, times
            return changed

    def _times(self) -> dict[str, int]:
        return dict(entry for root in self._roots for entry in _modification_times(root))


def _modification_times(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each file with the nanosecond of its last change; a file that vanishes meanwhile is left out."""
    if root.is_file():
        yield str(root), root.stat().st_mtime_ns
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118  pathlib takes three times as long
            try:
                yield path, os.stat(path).st_mtime_ns  # noqa: PTH116
            except FileNotFoundError:
                continue
