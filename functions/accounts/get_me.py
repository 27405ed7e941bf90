"""GET /v1/me: a member reads their own account."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.accounts import me
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.profiles import Me

api = HttpApi("member", database=light_db)


@api.get("/v1/me")
def get_me() -> Me:
    """The wager totals are those of the linked casino account."""
    with light_db.reading() as connection:
        return Me.model_validate(me.read(connection, api.caller, now=utc_now()))


handler = lambda_handler(api)
