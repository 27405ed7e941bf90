"""POST /v1/me/password: a member changes their password.

As at log-in, the attempt is committed before the current password is compared, outside any transaction.
"""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import reading, transaction
from goatedvips.domain.accounts import credentials, passwords
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.accounts.accounts import ChangePasswordRequest

api = HttpApi("member", keyed=False)


@api.post("/v1/me/password", status_code=204)
def change_password(body: ChangePasswordRequest) -> Response[None]:
    """It needs the current password, and ends the member's other sessions."""
    now = utc_now()
    with reading() as connection:
        names = credentials.read_own_names(connection, api.caller, now=now)
    passwords.check_new(body.new_password, names.username, names.email, field="new_password")
    with transaction() as connection:
        attempt = credentials.begin_attempt(connection, api.caller, api.client_network, now=now)
    passwords.verify(attempt.password, body.current_password)
    stored = passwords.hash_password(body.new_password, legacy=settings.legacy_app)
    with transaction(if_unavailable=attempt.removal) as connection:
        credentials.change_password(connection, api.caller, attempt, stored, now=now)
    return Response(204)


handler = lambda_handler(api)
