"""POST /v1/admin/payouts/{id}/reference: staff give a payout the reference of its payment."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.rewards import payments
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.rewards import PaymentReference, Payout

api = HttpApi("staff")


@api.post("/v1/admin/payouts/<id>/reference")
def reference_payout(id: PathId, body: PaymentReference) -> Payout:  # noqa: A002
    """The payout and its rewards are paid from now on. The same reference again is answered the same way."""
    with transaction() as connection:
        payout = payments.set_reference(connection, api.caller, id, body.reference, now=utc_now())
    return Payout.model_validate(payout)


handler = lambda_handler(api)
