"""GET /v1/wheel/spins/{id}: one spin of a member, with all that verifies it."""

from goatedvips.db import reading
from goatedvips.domain.wheel import history
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.wheel import VerifiableSpin

api = HttpApi("member")


@api.get("/v1/wheel/spins/<id>")
def get_spin(id: PathId) -> VerifiableSpin:  # noqa: A002 - the name in the path
    """The segments are those of the wheel on which the spin was drawn, also if the wheel has changed since."""
    with reading() as connection:
        return VerifiableSpin.model_validate(history.get(connection, api.caller, id))


handler = lambda_handler(api)
