"""POST /v1/me/email: a member asks for another e-mail address, which needs the link mailed to it.

A refusal reveals that an address has an account, so these requests count together with registrations.  Then the
password is checked as at log-in.
"""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import credentials, email_addresses, passwords, registration
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import ChangeEmailRequest, RequestedMail

api = HttpApi("member", keyed=False)


@api.post("/v1/me/email", status_code=202)
def change_email(body: ChangeEmailRequest) -> RequestedMail:
    """It needs the current password. The new address counts once the link mailed to it is used."""
    now = utc_now()
    with transaction() as connection:
        registration.record_attempt(connection, api.client_network, now=now)
    with transaction() as connection:
        attempt = credentials.begin_attempt(connection, api.caller, api.client_network, now=now)
    passwords.verify(attempt.password, body.current_password)
    with transaction(if_unavailable=attempt.removal) as connection:
        email_addresses.request_change(connection, api.caller, attempt, body.email, api.client_network, now=now)
    return RequestedMail()


handler = lambda_handler(api)
