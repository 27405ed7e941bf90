"""POST /v1/password-resets: anybody asks for a link to set a new password, mailed to an e-mail address."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import credentials
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import PasswordResetRequest, RequestedMail

api = HttpApi("anyone")


@api.post("/v1/password-resets", status_code=202)
def request_password_reset(body: PasswordResetRequest) -> RequestedMail:
    """The response is the same whether or not the address has an account. At most 3 mails an hour are sent."""
    with transaction() as connection:
        credentials.request_reset(connection, body.email, api.client_network, now=utc_now())
    return RequestedMail()


handler = lambda_handler(api)
