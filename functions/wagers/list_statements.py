"""GET /v1/me/statements: a member's monthly statements, newest first."""

from goatedvips.db import reading
from goatedvips.domain.wagers.statements import own_statements
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.wagers import Statement

api = HttpApi("member")


@api.get("/v1/me/statements")
def list_statements(limit: Limit = 20, cursor: Cursor = None) -> Page[Statement]:
    """They are written on the 1st of each month (UTC). A month without any activity has none."""
    with reading() as connection:
        page = own_statements.newest_of_caller(connection, api.caller, limit=limit, cursor=cursor)
        return Page[Statement].model_validate(page)


handler = lambda_handler(api)
