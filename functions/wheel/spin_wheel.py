"""POST /v1/wheel/spins: a member spins the wheel, at most once in a UTC day."""

from goatedvips import light_db
from goatedvips.clock import utc_now
from goatedvips.domain.wheel import spins
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wheel import SpinReceipt, SpinRequest

api = HttpApi("member", database=light_db)


@api.post("/v1/wheel/spins", status_code=201)
def spin_wheel(body: SpinRequest) -> SpinReceipt:
    """The server draws the segment.

    A second spin in the same UTC day is refused with `already_spun`, which has the id of today's spin and the time
    of the next one.
    """
    with light_db.transaction() as connection:
        spin = spins.spin(connection, api.caller, body.client_seed, now=utc_now())
    return SpinReceipt.model_validate(spin)


handler = lambda_handler(api)
