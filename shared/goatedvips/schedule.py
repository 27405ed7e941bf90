"""The edge of scheduled functions: logs and measures each run, its duration and how much it did.

An error is raised to Lambda, which runs the function again and finally sends the event to the queue of failed events.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from goatedvips import resume_garbage_collection

logger = Logger(service="goatedvips")
metrics = Metrics(namespace="GoatedVIPs", service="goatedvips")

type Event = dict[str, Any]


class _Context(Protocol):
    """The part of Lambda's context object that is used here."""

    @property
    def function_name(self) -> str: ...

    @property
    def aws_request_id(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


_context: ContextVar[_Context] = ContextVar("context")


def seconds_left() -> float:
    """Return the seconds until Lambda ends the present run."""
    return _context.get().get_remaining_time_in_millis() / 1000


def lambda_handler(work: Callable[[], Mapping[str, int]]) -> Callable[[Event, _Context], dict[str, int]]:
    """Return what Lambda calls. A handler's module ends with this call.

    Parameters
    ----------
    work: does one run. Lambda may call it twice for one event, also at the same time. It returns counts of what it did;
        `{"sent": 3}` is logged and becomes the metric `Sent`.
    """

    def handler(event: Event, context: _Context) -> dict[str, int]:
        _context.set(context)
        keys = {"function": context.function_name, "request_id": context.aws_request_id}
        metrics.add_dimension("function", context.function_name)
        started = perf_counter()
        with logger.append_context_keys(**keys):
            logger.info("started", extra={"scheduled_time": event.get("scheduled_time")})
            try:
                done = dict(work())
            except Exception:
                metrics.add_metric("Failed", MetricUnit.Count, 1)
                logger.exception("failed")
                raise
            else:
                logger.info("ended", extra={"milliseconds": _milliseconds_since(started), "done": done})
                for name, count in done.items():
                    metrics.add_metric(name.replace("_", " ").title().replace(" ", ""), MetricUnit.Count, count)
                return done
            finally:
                metrics.add_metric("Duration", MetricUnit.Milliseconds, _milliseconds_since(started))
                metrics.flush_metrics()

    resume_garbage_collection()
    return handler


def _milliseconds_since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 1)
