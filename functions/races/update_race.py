"""PATCH /v1/admin/races/{id}: staff change a race."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races import changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.changes import RaceUpdate
from goatedvips.validators.races.races import Race

api = HttpApi("staff")


@api.patch("/v1/admin/races/<id>")
def update_race(id: PathId, body: RaceUpdate) -> Race:  # noqa: A002
    """Once a race is live, its prize pool can only rise and its end can only move later, and only its texts change."""
    with transaction() as connection:
        return Race.model_validate(changes.change(connection, api.caller, id, body.changes, now=utc_now()))


handler = lambda_handler(api)
