"""The edge of scheduled functions."""

from collections.abc import Callable, Mapping
from typing import Any

from goatedvips import resume_garbage_collection
from goatedvips.runs import Context, run

type Event = dict[str, Any]


def lambda_handler(work: Callable[[], Mapping[str, int]]) -> Callable[[Event, Context], dict[str, int]]:
    """Return what Lambda calls. A handler's module ends with this call.

    Parameters
    ----------
    work: does one run. Lambda may call it twice for one event, also at the same time. It returns counts of what it did;
        `{"sent": 3}` is logged and becomes the metric `Sent`.
    """

    def handler(event: Event, context: Context) -> dict[str, int]:
        return run(work, context, scheduled_time=event.get("scheduled_time"))

    resume_garbage_collection()
    return handler
