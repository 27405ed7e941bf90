"""The code that all functions share. On Lambda it lies in a layer.

The import of a handler creates some 115,000 objects, of which hardly any become garbage. Python's garbage collector
would search them more than 50 times meanwhile, which takes an eighth of a cold start. So it waits until the handler is
complete and calls `resume_garbage_collection`; until then it only runs if there are many more objects.
"""

import gc

OBJECTS_BEFORE_FIRST_COLLECTION = 200_000
"""More than an import creates. Processes other than functions, such as tests, run with it; it costs them some 20 MB."""

_python_thresholds = gc.get_threshold()
gc.set_threshold(OBJECTS_BEFORE_FIRST_COLLECTION, *_python_thresholds[1:])


def resume_garbage_collection() -> None:
    """Let the collector run as Python does by default, and leave out the objects that exist now: they all stay."""
    gc.freeze()
    gc.set_threshold(*_python_thresholds)
