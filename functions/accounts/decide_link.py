"""POST /v1/admin/account-links/{id}/decision: staff approve or refuse a request to link a casino account."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import link_decisions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.links import AccountLink, LinkDecision
from goatedvips.validators.fields import PathId

api = HttpApi("staff")


@api.post("/v1/admin/account-links/<id>/decision")
def decide_link(id: PathId, body: LinkDecision) -> AccountLink:  # noqa: A002
    """The member is notified by mail. An approval writes the casino account's id and totals to the member."""
    with transaction() as connection:
        link = link_decisions.decide(connection, api.caller, id, body.decision, body.reason, now=utc_now())
    return AccountLink.model_validate(link)


handler = lambda_handler(api)
