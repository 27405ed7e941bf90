"""GET /v1/races/{id}/leaderboard: the participants of a race, by rank."""

from goatedvips.db import reading
from goatedvips.domain.races import leaderboard
from goatedvips.http import HttpApi, lambda_handler, revalidated
from goatedvips.validators.fields import PathId
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.races.standings import Standing

api = HttpApi("anyone")


@api.get("/v1/races/<id>/leaderboard", middlewares=[revalidated])
def get_leaderboard(id: PathId, limit: Limit = 20, cursor: Cursor = None) -> Page[Standing]:  # noqa: A002
    """Members who hide their name are listed without it."""
    with reading() as connection:
        return Page[Standing].model_validate(leaderboard.get_page(connection, id, limit=limit, cursor=cursor))


handler = lambda_handler(api)
