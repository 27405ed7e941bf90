"""PATCH /v1/admin/members/{id}: staff suspend a member, change their rights, or end their link to a casino account."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.members import changes
from goatedvips.domain.members.changes import Change
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.members.changes import ChangedMember, MemberUpdate

api = HttpApi("staff")


@api.patch("/v1/admin/members/<id>")
def update_member(id: PathId, body: MemberUpdate) -> ChangedMember:  # noqa: A002
    """Suspending needs a reason and ends the member's sessions. A `uid` of null ends the link, and the member is told.

    Nobody can change their own rights, and one staff member must remain.
    """
    with transaction() as connection:
        wanted = Change(**body.model_dump(exclude={"uid"}), ends_link=body.ends_link)
        changed = changes.change(connection, api.caller, id, wanted, now=utc_now())
        return ChangedMember.model_validate(changed)


handler = lambda_handler(api)
