"""GET /v1/races/{id}/standing: a member's own standing in a race, and who is next to them."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.races import own_standing
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.standings import Around, OwnStanding

api = HttpApi("member")


@api.get("/v1/races/<id>/standing")
def get_standing(id: PathId, around: Around = 0) -> OwnStanding:  # noqa: A002
    """A member without a rank is given the reason. It is 404 if they have not joined the race."""
    with reading() as connection:
        own = own_standing.get(connection, api.caller, id, around=around, now=utc_now())
    return OwnStanding.model_validate(own)


handler = lambda_handler(api)
