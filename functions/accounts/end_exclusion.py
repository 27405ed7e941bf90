"""DELETE /v1/me/exclusion: a member ends their exclusion from play, once its time has passed."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import exclusions
from goatedvips.http import HttpApi, Response, lambda_handler

api = HttpApi("member")


@api.delete("/v1/me/exclusion", status_code=204)
def end_exclusion() -> Response[None]:
    """An exclusion of 180 days or more ends 24 hours later. A permanent one cannot be ended."""
    with transaction() as connection:
        exclusions.end(connection, api.caller, now=utc_now())
    return Response(204)


handler = lambda_handler(api)
