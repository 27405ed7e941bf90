"""POST /v1/me/exclusion: a member excludes themselves from play, with immediate effect."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.accounts import exclusions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.exclusions import Exclusion, ExclusionRequest

api = HttpApi("member")


@api.post("/v1/me/exclusion", status_code=201)
def exclude_me(body: ExclusionRequest) -> Exclusion:
    """Spins, claims and races are closed to the member until the exclusion is ended.

    It can be prolonged and not shortened.
    """
    with transaction() as connection:
        exclusion = exclusions.exclude(connection, api.caller, body.days, now=utc_now())
    return Exclusion.model_validate(exclusion)


handler = lambda_handler(api)
