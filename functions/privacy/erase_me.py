"""POST /v1/me/erasure: a member erases their personal data, permanently."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import credentials, passwords
from goatedvips.domain.privacy import erasure
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.accounts.accounts import ErasureRequest

api = HttpApi("member", keyed=False)


@api.post("/v1/me/erasure", status_code=204)
def erase_me(body: ErasureRequest) -> Response[None]:
    """It needs the current password. The ledger and the archive of races keep their rows without the name."""
    now = utc_now()
    with transaction() as connection:
        attempt = credentials.begin_attempt(connection, api.caller, api.client_network, now=now)
    passwords.verify(attempt.password, body.password)
    with transaction(if_unavailable=attempt.removal) as connection:
        erasure.erase(connection, api.caller, attempt, now=now)
    return Response(204)


handler = lambda_handler(api)
