"""The HTTP edge of all handlers: caller, idempotency keys, request bodies, responses and problems (RFC 9457).

A handler's file has one `HttpApi`, one route and `handler = lambda_handler(api)`. It imports `Response` from here: an
import of Powertools before this package would run with the garbage collector on (`goatedvips/__init__.py`).
"""

from aws_lambda_powertools.event_handler import Response

from goatedvips.http.api import HttpApi, lambda_handler
from goatedvips.http.responses import created_once, download, revalidated

__all__ = ["HttpApi", "Response", "created_once", "download", "lambda_handler", "revalidated"]
