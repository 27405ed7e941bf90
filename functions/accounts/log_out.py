"""DELETE /v1/sessions/current: a member logs out: ends the current session."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import sessions
from goatedvips.http import HttpApi, Response, lambda_handler

api = HttpApi("member")


@api.delete("/v1/sessions/current", status_code=204)
def log_out() -> Response[None]:
    """Other sessions of the member stay open."""
    with transaction() as connection:
        sessions.end(connection, api.caller, now=utc_now())
    return Response(204)


handler = lambda_handler(api)
