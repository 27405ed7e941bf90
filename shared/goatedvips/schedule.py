"""The edge of scheduled functions: what ran, how long, and how much it did, in the log and in the metrics.

An error escapes, so that Lambda tries again and in the end hands the event to the queue of failed ones.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="goatedvips")
metrics = Metrics(namespace="GoatedVIPs", service="goatedvips")

type Event = dict[str, Any]


class _Context(Protocol):
    """What is read of the context that Lambda passes."""

    @property
    def function_name(self) -> str: ...

    @property
    def aws_request_id(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


_context: ContextVar[_Context] = ContextVar("context")


def seconds_left() -> float:
    """How long the present run may go on before Lambda ends it."""
    return _context.get().get_remaining_time_in_millis() / 1000


def lambda_handler(work: Callable[[], Mapping[str, int]]) -> Callable[[Event, _Context], dict[str, int]]:
    """What Lambda calls.

    Parameters
    ----------
    work: one run, which may come twice, or twice at once; it returns how much of what it did. `{"sent": 3}` is also the
        metric `Sent`.
    """

    def handler(event: Event, context: _Context) -> dict[str, int]:
        _context.set(context)
        said = {"function": context.function_name, "request_id": context.aws_request_id}
        metrics.add_dimension("function", context.function_name)
        started = perf_counter()
        with logger.append_context_keys(**said):
            logger.info("started", extra={"scheduled_time": event.get("scheduled_time")})
            try:
                done = dict(work())
            except Exception:
                metrics.add_metric("Failed", MetricUnit.Count, 1)
                logger.exception("failed")
                raise
            else:
                logger.info("ended", extra={"milliseconds": _milliseconds_since(started), "done": done})
                for what, count in done.items():
                    metrics.add_metric(what.replace("_", " ").title().replace(" ", ""), MetricUnit.Count, count)
                return done
            finally:
                metrics.add_metric("Duration", MetricUnit.Milliseconds, _milliseconds_since(started))
                metrics.flush_metrics()

    return handler


def _milliseconds_since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 1)
