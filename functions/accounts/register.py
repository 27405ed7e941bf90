"""POST /v1/accounts: anybody registers an account."""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.accounts import passwords, registration
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import RegisteredAccount, RegisterRequest

api = HttpApi("anyone")


@api.post("/v1/accounts", status_code=201)
def register(body: RegisterRequest) -> RegisteredAccount:
    """A mail with a link to verify the address is sent. At most 10 requests an hour are accepted from one network."""
    now = utc_now()
    passwords.check_new(body.password, body.username, body.email)
    with transaction() as connection:
        registration.record_attempt(connection, api.client_network, now=now)
    stored = passwords.hash_password(body.password, legacy=settings.legacy_app)
    with transaction() as connection:
        account = registration.register(connection, body.username, body.email, stored, api.client_network, now=now)
    return RegisteredAccount.model_validate(account)


handler = lambda_handler(api)
