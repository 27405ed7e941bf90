"""GET /v1/me: a member reads their own account."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.accounts import profiles
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.profiles import Me

api = HttpApi("member")


@api.get("/v1/me")
def get_me() -> Me:
    """The wager totals are those of the linked casino account."""
    with reading() as connection:
        return Me.model_validate(profiles.read_me(connection, api.caller, now=utc_now()))


handler = lambda_handler(api)
