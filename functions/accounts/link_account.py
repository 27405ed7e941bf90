"""POST /v1/me/account-link: a member asks to link a casino account; staff decide."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import links
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.links import LinkRequest, PendingLink

api = HttpApi("member")


@api.post("/v1/me/account-link", status_code=202)
def link_account(body: LinkRequest) -> PendingLink:
    """A member can have one pending request."""
    with transaction() as connection:
        link = links.request_link(connection, api.caller, body.uid, now=utc_now())
    return PendingLink.model_validate(link)


handler = lambda_handler(api)
