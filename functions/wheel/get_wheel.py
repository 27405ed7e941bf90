"""GET /v1/wheel: the segments of the wheel, with the odds of each."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.wheel import versions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wheel import Wheel

api = HttpApi("anyone")


@api.get("/v1/wheel")
def get_wheel() -> Wheel:
    """All members spin the same wheel. `odds` is the weight of a segment divided by the sum of all weights.

    A new version is shown as `next` until it is in force.
    """
    with reading() as connection:
        return Wheel.model_validate(versions.get_current(connection, now=utc_now()))


handler = lambda_handler(api)
