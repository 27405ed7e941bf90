"""GET /v1/admin/members: staff find members by name, id and state."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.members import search as members
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.members.search import Flag, ListedMember, MemberId, Prefix, TierName, Uid
from goatedvips.validators.pagination import Cursor, Limit, Page

api = HttpApi("staff")


@api.get("/v1/admin/members")
def list_members(  # noqa: PLR0913 - one for each parameter of the query
    *,
    id: MemberId = None,  # noqa: A002
    q: Prefix = None,
    uid: Uid = None,
    verified: Flag = None,
    excluded: Flag = None,
    suspended: Flag = None,
    tier: TierName = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ListedMember]:
    """All filters that are given must match. `q` is the beginning of a username or an e-mail address.

    With `q` the members are in the order of the usernames or addresses that begin with it, otherwise the newest first.
    """
    search = members.Search(id, q, uid, verified, excluded, suspended, tier)
    with reading() as connection:
        page = members.find_members(connection, api.caller, search, limit=limit, cursor=cursor, now=utc_now())
        return Page[ListedMember].model_validate(page)


handler = lambda_handler(api)
