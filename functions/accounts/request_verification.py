"""POST /v1/email-verifications: a member asks for another link to verify their e-mail address."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import email_addresses
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import RequestedMail

api = HttpApi("member")


@api.post("/v1/email-verifications", status_code=202)
def request_verification() -> RequestedMail:
    """The response is the same whether or not a mail is sent; at most 3 an hour are."""
    with transaction() as connection:
        email_addresses.request_verification(connection, api.caller, api.client_network, now=utc_now())
    return RequestedMail()


handler = lambda_handler(api)
