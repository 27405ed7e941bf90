"""GET /v1/codes: the codes that a member has claimed, newest first."""

from goatedvips.db import reading
from goatedvips.domain.codes import my_claims
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.codes import CodeClaim
from goatedvips.validators.pagination import Cursor, Limit, Page

api = HttpApi("member")


@api.get("/v1/codes")
def list_codes(limit: Limit = 20, cursor: Cursor = None) -> Page[CodeClaim]:
    """Each item has the code, its value and the time of the claim."""
    with reading() as connection:
        return Page[CodeClaim].model_validate(my_claims.newest(connection, api.caller, limit=limit, cursor=cursor))


handler = lambda_handler(api)
