"""DELETE /v1/admin/codes: staff revoke all codes of a batch."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.codes import issued
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.codes import BatchId, RevokedCodes

api = HttpApi("staff")


@api.delete("/v1/admin/codes")
def revoke_batch(batch_id: BatchId) -> RevokedCodes:
    """Nobody can claim these codes any more. Claims that were made stay."""
    with transaction() as connection:
        return RevokedCodes(count=issued.revoke_batch(connection, api.caller, batch_id, now=utc_now()))


handler = lambda_handler(api)
