"""GET /v1/races/{id}: one wager race."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.races import races
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.races import Race

api = HttpApi("anyone", database=light_db)


@api.get("/v1/races/<id>")
def get_race(id: PathId) -> Race:  # noqa: A002
    """`status` follows the clock: a race is `live` from its start until its end."""
    with light_db.reading() as connection:
        return Race.model_validate(races.get(connection, id, now=utc_now()))


handler = lambda_handler(api)
