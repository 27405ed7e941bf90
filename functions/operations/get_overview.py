"""GET /v1/admin/overview: the platform's key figures, for staff."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.operations import overview
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.operations import Overview

api = HttpApi("staff")


@api.get("/v1/admin/overview")
def get_overview() -> Overview:
    """The figures are counted once a minute. Those that are listed in `approximate` are estimates."""
    with reading() as connection:
        return Overview.model_validate(overview.get(connection, api.caller, now=utc_now()))


handler = lambda_handler(api)
