"""GET /v1/tiers: the tiers, what each asks for, and what reaching it brings."""

from goatedvips.db import reading
from goatedvips.domain.wagers import tier_versions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wagers import TierVersion

api = HttpApi("anyone")


@api.get("/v1/tiers")
def list_tiers() -> TierVersion:
    """The tiers in force, the lowest first. `GET /v1/me` shows which of them the member has reached."""
    with reading() as connection:
        return TierVersion.model_validate(tier_versions.get_newest(connection))


handler = lambda_handler(api)
