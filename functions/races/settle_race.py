"""POST /v1/admin/races/{id}/settlement: staff settle a race, or see what a settlement would give."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.races.results import dry_runs, settlement
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.race_settlement import raise_alarms
from goatedvips.validators.fields import PathId
from goatedvips.validators.races.settlement import SettlementReport, SettlementRequest

api = HttpApi("staff")


@api.post("/v1/admin/races/<id>/settlement")
def settle_race(id: PathId, body: SettlementRequest) -> SettlementReport:  # noqa: A002
    """A race is settled once. Settling it again changes nothing, and the answer is the same report.

    Most races are settled by the schedule, 30 minutes after their end. Staff settle what it leaves to them: races that
    the previous application made, and with `force` a race without a feed of its end.
    """
    now = utc_now()
    with transaction() as connection:
        if body.dry_run:
            return SettlementReport.model_validate(dry_runs.dry_run(connection, api.caller, id, now=now))
        report = settlement.settle(
            connection, api.caller, id, force=body.force, already_paid=body.already_paid, now=now
        )
        raise_alarms(report)
    return SettlementReport.model_validate(report)


handler = lambda_handler(api)
