"""POST /v1/sessions: a member logs in with a username or an e-mail address.

The attempt is counted and committed before the password is compared, outside any transaction.
"""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.accounts import passwords
from goatedvips.domain.accounts.log_in import begin_attempt, open_session
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.accounts import LogInRequest, NewSession

api = HttpApi("anyone")


@api.post("/v1/sessions", status_code=201)
def log_in(body: LogInRequest) -> NewSession:
    """`login` is a username or an e-mail address.

    After too many failures from one network, log-ins are refused for some minutes.
    """
    now = utc_now()
    with transaction() as connection:
        attempt = begin_attempt(connection, body.login, body.bare_login, body.ascii_login, api.client_network, now=now)
    stored = passwords.verify_and_upgrade(attempt.password, body.password, legacy=settings.legacy_app)
    with transaction(if_unavailable=attempt.removal) as connection:
        session = open_session(connection, attempt, body.password, stored, now=now)
    return NewSession.model_validate(session)


handler = lambda_handler(api)
