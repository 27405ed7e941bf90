"""PUT /v1/admin/tiers: staff publish tiers, in force at once; what totals have passed is recorded silently."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tiers import Tiers

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(days=3650)
START = {"name": "Copper", "min_wager": "0", "reward": "0.00"}
RICH = {"name": "Rich", "min_wager": "50000", "reward": "10.00"}


@pytest.fixture
def tiers(database: sa.Engine) -> Iterator[Tiers]:
    tiers = Tiers(database)
    yield tiers
    tiers.remove_versions()


def publish(functions: Functions, by: Member | None, *tiers: dict[str, Any]) -> Answer:
    return functions.call("publish_tiers", by=by, body={"tiers": list(tiers)}, now=NOW)


def test_a_version_is_in_force_at_once_and_in_the_audit_log(
    functions: Functions, members: Members, tiers: Tiers
) -> None:
    staff = members.staff(session_lifetime=LIFETIME)
    answer = publish(functions, staff, START, {"name": "  Süd \u00b7 1 ", "min_wager": "0.01", "reward": "2.5"})
    assert answer.status == 201, answer.text
    assert answer.json == {
        "version": answer.json["version"],
        "published_at": "2030-05-01T12:00:00Z",
        "tiers": [
            {"name": "Copper", "min_wager": "0.00", "reward": "0.00"},
            {"name": "Süd \u00b7 1", "min_wager": "0.01", "reward": "2.50"},
        ],
    }
    assert functions.call("list_tiers").json == answer.json
    with tiers.database.connect() as connection:
        entry = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).one()
    assert (entry.action, entry.subject_id, entry.before) == ("publish_tiers", answer.json["version"], None)
    assert entry.after["tiers"] == answer.json["tiers"]


def test_what_totals_have_passed_is_recorded_silently(functions: Functions, members: Members, tiers: Tiers) -> None:
    poor = members.new(seeds=False, total_wager=Decimal("49999.99"))
    rich = members.new(seeds=False, total_wager=Decimal(50_000))
    fallen = members.new(seeds=False, total_wager=Decimal(100_000))
    shell, erased = members.shell("uid-published"), members.new(seeds=False, erased_at=NOW)
    members.change(fallen, total_wager=0)
    staff = members.staff(session_lifetime=LIFETIME)
    gold = {"name": "Gold", "min_wager": "60000", "reward": "7.00"}
    assert publish(functions, staff, START, RICH, gold).status == 201
    first = [(name, "0.00", True) for name in ("Copper", "Bronze", "Silver")]
    assert (tiers.present(poor.id), tiers.reached(poor.id)) == ("Copper", first)
    assert (tiers.present(rich.id), tiers.reached(rich.id)) == ("Rich", [*first, ("Rich", "0.00", True)])
    # Nobody loses a tier, and with one they have all below it.
    assert tiers.present(fallen.id) == "Gold"
    assert tiers.reached(fallen.id) == [*first, ("Gold", "0.00", True), ("Rich", "0.00", True)]
    assert (tiers.reached(shell.id), tiers.reached(erased.id)) == ([], [("Copper", "0.00", True)])
    with tiers.database.connect() as connection:
        queued = sa.select(outbox).where(outbox.c.user_id.in_([poor.id, rich.id, fallen.id]))
        assert connection.execute(queued).all() == []

    before = {member.id: tiers.reached(member.id) for member in (poor, rich, fallen)}
    assert publish(functions, staff, START, RICH, gold | {"min_wager": "99999999"}).status == 201
    assert {user_id: tiers.reached(user_id) for user_id in before} == before, "each once"
    assert tiers.present(fallen.id) == "Gold", "though it asks for more now"
    assert publish(functions, staff, START | {"name": "Other"}).status == 201
    assert tiers.present(fallen.id) == "Other"


def test_a_caller_without_the_right_publishes_nothing(functions: Functions, members: Members, tiers: Tiers) -> None:
    demoted, member = members.staff(session_lifetime=LIFETIME), members.new(session_lifetime=LIFETIME)
    members.change(demoted, is_admin=False)
    for caller, status in ((None, 401), (member, 403), (demoted, 403)):
        assert publish(functions, caller, START).status == status
    assert functions.call("list_tiers").json["version"] == 1


@pytest.mark.parametrize(
    ("published", "pointer"),
    [
        ([], "/tiers"),
        ([RICH], "/tiers"),
        ([START, START | {"min_wager": "1"}], "/tiers"),
        ([START, RICH | {"name": "cOPPER"}], "/tiers"),
        ([START, RICH, RICH | {"name": "Richer"}], "/tiers"),
        ([START, RICH, {"name": "Poorer", "min_wager": "49999.99", "reward": "0"}], "/tiers"),
        (
            [START, *({"name": f"T{number}", "min_wager": f"{number}", "reward": "0"} for number in range(1, 51))],
            "/tiers",
        ),
        ([START | {"min_wager": "-0.01"}], "/tiers/0/min_wager"),
        ([START, RICH | {"min_wager": 5}], "/tiers/1/min_wager"),
        ([START, RICH | {"min_wager": "0.001"}], "/tiers/1/min_wager"),
        ([START, RICH | {"min_wager": "10000000000"}], "/tiers/1/min_wager"),
        ([START, RICH | {"min_wager": "NaN"}], "/tiers/1/min_wager"),
        ([START, RICH | {"reward": "-1"}], "/tiers/1/reward"),
        ([START, RICH | {"reward": None}], "/tiers/1/reward"),
        ([START, RICH | {"reward": "100000000"}], "/tiers/1/reward"),
        ([START, RICH | {"name": " "}], "/tiers/1/name"),
        ([START, RICH | {"name": "\u200b"}], "/tiers/1/name"),
        ([START, RICH | {"name": "\u202ehciR"}], "/tiers/1/name"),
        ([START, RICH | {"name": "a" * 51}], "/tiers/1/name"),
        ([START, RICH | {"color": "red"}], "/tiers/1/color"),
        ([{"name": "Copper", "min_wager": "0"}], "/tiers/0/reward"),
    ],
)
def test_tiers_without_an_order_are_refused(
    functions: Functions, members: Members, published: list[dict[str, Any]], pointer: str
) -> None:
    answer = publish(functions, members.staff(session_lifetime=LIFETIME), *published)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert functions.call("list_tiers").json["version"] == 1
