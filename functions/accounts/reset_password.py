"""POST /v1/password-resets/confirm: anybody with the token from a mailed link sets a new password.

The token is checked first, so that a refused password does not use it up.
"""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import reading, transaction
from goatedvips.domain.accounts import credentials, passwords
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.accounts.accounts import ResetPasswordRequest

api = HttpApi("anyone")


@api.post("/v1/password-resets/confirm", status_code=204)
def reset_password(body: ResetPasswordRequest) -> Response[None]:
    """The token is in the mailed link, behind `#token=`.

    It works once, for one hour, and all sessions of the member end.
    """
    now = utc_now()
    with reading() as connection:
        names = credentials.read_names_by_token(connection, body.token, now=now)
    passwords.check_new(body.password, names.username, names.email)
    stored = passwords.hash_password(body.password, legacy=settings.legacy_app)
    with transaction() as connection:
        credentials.reset_password(connection, body.token, stored, now=now)
    return Response(204)


handler = lambda_handler(api)
