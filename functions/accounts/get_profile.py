"""GET /v1/users/{id}: anybody reads a member's public profile."""

from goatedvips.db import reading
from goatedvips.domain.accounts import profiles
from goatedvips.http import HttpApi, lambda_handler, revalidated
from goatedvips.validators.accounts.profiles import Profile
from goatedvips.validators.fields import PathId

api = HttpApi("anyone")


@api.get("/v1/users/<id>", middlewares=[revalidated])
def get_profile(id: PathId) -> Profile:  # noqa: A002
    """It has nothing private. A hidden name is null."""
    with reading() as connection:
        return Profile.model_validate(profiles.read_profile(connection, id))


handler = lambda_handler(api)
