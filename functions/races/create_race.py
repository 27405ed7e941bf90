"""POST /v1/admin/races: staff create a race, which may repeat."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races import changes
from goatedvips.domain.races.changes import NewRace
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.races.races import Race, RaceRequest

api = HttpApi("staff")


@api.post("/v1/admin/races", status_code=201)
def create_race(body: RaceRequest) -> Race:
    """A race that repeats begins again where it ended, in its time zone."""
    race = NewRace(**body.model_dump(exclude={"repeat"}), time_zone=body.time_zone)
    with transaction() as connection:
        return Race.model_validate(changes.create(connection, api.caller, race, now=utc_now()))


handler = lambda_handler(api)
