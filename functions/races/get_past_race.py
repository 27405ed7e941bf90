"""GET /v1/races/history/{id}: one race of the archive, with its results."""

from goatedvips.db import reading
from goatedvips.domain.races.results import past_races
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.past_races import PastRaceResults

api = HttpApi("anyone")


@api.get("/v1/races/history/<id>")
def get_past_race(id: PathId) -> PastRaceResults:  # noqa: A002
    """Members who hide their name now are listed without it.

    The digests of the two feeds are those of the raw feeds from which the scores follow.
    """
    with reading() as connection:
        return PastRaceResults.model_validate(past_races.get(connection, id))


handler = lambda_handler(api)
