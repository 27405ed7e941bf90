"""PATCH /v1/me: a member changes their profile."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import profiles
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.profiles import Me, UpdateMeRequest

api = HttpApi("member")


@api.patch("/v1/me")
def update_me(body: UpdateMeRequest) -> Me:
    """Fields that are absent stay as they are; a `bio` of null removes it."""
    with transaction() as connection:
        me = profiles.change(connection, api.caller, body.model_dump(exclude_unset=True), now=utc_now())
    return Me.model_validate(me)


handler = lambda_handler(api)
