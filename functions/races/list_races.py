"""GET /v1/races: the wager races, the one with the latest start first."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.races import races
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.races.races import Race, RaceStatus

api = HttpApi("anyone", database=light_db)


@api.get("/v1/races")
def list_races(status: RaceStatus = None, limit: Limit = 20, cursor: Cursor = None) -> Page[Race]:
    """`status` follows the clock: a race is `live` from its start until its end."""
    with light_db.reading() as connection:
        return Page[Race].model_validate(races.newest(connection, status, limit=limit, cursor=cursor, now=utc_now()))


handler = lambda_handler(api)
