"""GET /v1/leaderboards/{period}: the members by what they have wagered today, this week, this month, or ever."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.wagers.leaderboards import leaderboards
from goatedvips.http import HttpApi, lambda_handler, revalidated
from goatedvips.validators.pagination import Cursor, Limit
from goatedvips.validators.wagers import Period, WagerLeaderboard

api = HttpApi("anyone", database=light_db)


@api.get("/v1/leaderboards/<period>", middlewares=[revalidated])
def get_wager_leaderboard(period: Period, limit: Limit = 20, cursor: Cursor = None) -> WagerLeaderboard:
    """Members who hide their name are listed without it. Excluded and suspended members are not listed."""
    with light_db.reading() as connection:
        page = leaderboards.get_page(connection, period, limit=limit, cursor=cursor, now=utc_now())
    return WagerLeaderboard.model_validate(page)


handler = lambda_handler(api)
