"""DELETE /v1/admin/codes/{id}: staff revoke a bonus code."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.codes import issued
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.fields import PathId

api = HttpApi("staff")


@api.delete("/v1/admin/codes/<id>", status_code=204)
def revoke_code(id: PathId) -> Response[None]:  # noqa: A002
    """Nobody can claim the code any more. Claims that were made stay. Revoking it again changes nothing."""
    with transaction() as connection:
        issued.revoke(connection, api.caller, id, now=utc_now())
    return Response(204)


handler = lambda_handler(api)
