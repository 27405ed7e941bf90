"""POST /v1/me/email: a member wishes to be reached at another address, which counts once its mailed link is used.

Its refusal tells who has an account, so it is counted as registering is; then the password is proved as at log-in.
"""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import credentials, email_addresses, passwords, registration
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import ChangeEmailRequest, RequestedMail

api = HttpApi("member", keyed=False)


@api.post("/v1/me/email", status_code=202)
def change_email(body: ChangeEmailRequest) -> RequestedMail:
    now = utc_now()
    with transaction() as connection:
        registration.count(connection, api.client_network, now=now)
    with transaction() as connection:
        attempt = credentials.attempt(connection, api.caller, api.client_network, now=now)
    passwords.confirm(attempt.password, body.current_password)
    with transaction() as connection:
        email_addresses.request_change(connection, api.caller, attempt, body.email, api.client_network, now=now)
    return RequestedMail()


handler = lambda_handler(api)
