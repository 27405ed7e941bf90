"""GET /v1/races/history: the races of the archive, the one with the latest end first."""

from goatedvips.db import reading
from goatedvips.domain.races.results import past_races
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.races.past_races import PastRace

api = HttpApi("anyone")


@api.get("/v1/races/history")
def list_past_races(limit: Limit = 20, cursor: Cursor = None) -> Page[PastRace]:
    """A race is in the archive once it is settled."""
    with reading() as connection:
        return Page[PastRace].model_validate(past_races.newest(connection, limit=limit, cursor=cursor))


handler = lambda_handler(api)
