"""GET /v1/me/wheel: the commitments to a member's server seeds, and the inputs of their next spin."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wheel import my_wheel
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wheel import MyWheel

api = HttpApi("member")


@api.get("/v1/me/wheel")
def get_my_wheel() -> MyWheel:
    """The server seed stays secret until it is replaced.

    Its hash, which is shown before the spin, proves that it was not changed.
    """
    with transaction() as connection:
        return MyWheel.model_validate(my_wheel.get(connection, api.caller, now=utc_now()))


handler = lambda_handler(api)
