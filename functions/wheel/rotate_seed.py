"""POST /v1/wheel/seeds: a member has their active server seed revealed and replaced by the upcoming one."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wheel import rotation
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wheel import Rotation, RotationRequest

api = HttpApi("member")


@api.post("/v1/wheel/seeds", status_code=201)
def rotate_seed(body: RotationRequest) -> Rotation:
    """No further spin is drawn from the revealed server seed, and its spins can be verified.

    Note the new `next_server_seed_hash`. A client seed that you choose only afterwards was unknown when that server
    seed was made.
    """
    with transaction() as connection:
        rotated = rotation.rotate(connection, api.caller, body.client_seed, now=utc_now())
    return Rotation.model_validate(rotated)


handler = lambda_handler(api)
