"""POST /v1/email-verifications/confirm: anybody with the token from a mailed link verifies the e-mail address."""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.accounts import email_addresses
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import VerifiedEmail, VerifyEmailRequest

api = HttpApi("anyone")


@api.post("/v1/email-verifications/confirm")
def verify_email(body: VerifyEmailRequest) -> VerifiedEmail:
    """The token is in the mailed link, behind `#token=`. It works once, for 24 hours."""
    with transaction() as connection:
        required = settings.verified_email_required
        email_addresses.verify(connection, body.token, verified_email_required=required, now=utc_now())
    return VerifiedEmail(email_verified=True)


handler = lambda_handler(api)
