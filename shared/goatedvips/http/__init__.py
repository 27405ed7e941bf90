"""The HTTP edge of all handlers: caller, idempotency keys, request bodies, responses and problems (RFC 9457).

A handler's file has one `HttpApi`, one route and `handler = lambda_handler(api)`.
"""

from goatedvips.http.api import HttpApi, lambda_handler
from goatedvips.http.responses import created_once, download, revalidated

__all__ = ["HttpApi", "created_once", "download", "lambda_handler", "revalidated"]
