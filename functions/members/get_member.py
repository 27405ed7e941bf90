"""GET /v1/admin/members/{id}: staff read one member with all fields and last records."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.members import details
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.members.details import MemberDetails

api = HttpApi("staff")


@api.get("/v1/admin/members/<id>")
def get_member(id: PathId) -> MemberDetails:  # noqa: A002
    """It has the latest spins, claims, races, tickets, rewards, links and changes by staff."""
    with reading() as connection:
        return MemberDetails.model_validate(details.read_details(connection, api.caller, id, now=utc_now()))


handler = lambda_handler(api)
