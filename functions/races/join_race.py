"""POST /v1/races/{id}/participants: a member joins a race, at most once."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.races import participation
from goatedvips.http import HttpApi, Response, created_once, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.standings import Participation

api = HttpApi("member", database=light_db)


@api.post("/v1/races/<id>/participants", status_code=201)
def join_race(id: PathId) -> Response[Participation]:  # noqa: A002
    """A race can be joined until it ends."""
    with light_db.transaction() as connection:
        joined = participation.join(connection, api.caller, id, now=utc_now())
    return created_once(Participation.model_validate(joined), created=joined.created)


handler = lambda_handler(api)
