"""GET /v1/races/{id}/leaderboard: the participants of a race, by rank."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.races import leaderboard
from goatedvips.http import HttpApi, lambda_handler, revalidated
from goatedvips.validators.fields import PathId
from goatedvips.validators.pagination import Cursor, Limit
from goatedvips.validators.races.standings import Leaderboard

api = HttpApi("anyone", database=light_db)


@api.get("/v1/races/<id>/leaderboard", middlewares=[revalidated])
def get_leaderboard(id: PathId, limit: Limit = 20, cursor: Cursor = None) -> Leaderboard:  # noqa: A002
    """Members who hide their name are listed without it. Participants without a rank come last."""
    with light_db.reading() as connection:
        page = leaderboard.get_page(connection, id, limit=limit, cursor=cursor, now=utc_now())
    return Leaderboard.model_validate(page)


handler = lambda_handler(api)
