"""DELETE /v1/races/{id}/participants/me: a member leaves a race that has not started."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.races import participation
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.fields import PathId

api = HttpApi("member", database=light_db)


@api.delete("/v1/races/<id>/participants/me", status_code=204)
def leave_race(id: PathId) -> Response[None]:  # noqa: A002
    """The member can join the race again until it ends."""
    with light_db.transaction() as connection:
        participation.leave(connection, api.caller, id, now=utc_now())
    return Response(204)


handler = lambda_handler(api)
