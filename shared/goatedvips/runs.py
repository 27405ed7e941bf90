"""One run of a function that has no route: logged and measured, with its duration and how much it did.

An error is raised to Lambda, which runs the function again and finally sends the event to the queue of failed events.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="goatedvips")
metrics = Metrics(service="goatedvips")


class Context(Protocol):
    """The part of Lambda's context object that is used here."""

    @property
    def function_name(self) -> str: ...  # noqa: D102

    @property
    def aws_request_id(self) -> str: ...  # noqa: D102

    def get_remaining_time_in_millis(self) -> int: ...  # noqa: D102


_context: ContextVar[Context] = ContextVar("context")


def seconds_left() -> float:
    """Return the seconds until Lambda ends the present run."""
    return _context.get().get_remaining_time_in_millis() / 1000


def run(work: Callable[[], Mapping[str, int]], context: Context, **cause: object) -> dict[str, int]:
    """Do one run.

    Parameters
    ----------
    work: returns counts of what it did; `{"sent": 3}` is logged and becomes the metric `Sent`.
    cause: what of the event is logged.
    """
    _context.set(context)
    keys = {"function": context.function_name, "request_id": context.aws_request_id}
    metrics.add_dimension("function", context.function_name)
    started = perf_counter()
    with logger.append_context_keys(**keys):
        logger.info("started", extra=cause)
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


def _milliseconds_since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 1)
