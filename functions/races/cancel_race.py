"""POST /v1/admin/races/{id}/cancellation: staff cancel a race that is not settled."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races import changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.races import Race

api = HttpApi("staff")


@api.post("/v1/admin/races/<id>/cancellation")
def cancel_race(id: PathId) -> Race:  # noqa: A002
    """Nobody wins a prize in a cancelled race. Cancelling it again changes nothing.

    The next race of its series stays if it exists; otherwise the series ends.
    """
    with transaction() as connection:
        return Race.model_validate(changes.cancel(connection, api.caller, id, now=utc_now()))


handler = lambda_handler(api)
