"""The ranking of PostgreSQL against a plain one, on drawn totals and in any order of the participants."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from goatedvips.domain.races.scores import ranked, scored
from goatedvips.models.races import wager_race_participants, wager_races
from goatedvips.models.wagers import wager_readings
from tests.support.members import Members
from tests.support.races import END, START, Races
from tests.support.readings import Readings

MINUTE = timedelta(minutes=1)
MIN_WAGER = Decimal("0.50")
MOST = 7  # participants

# Few different totals, so that many are tied; some of them differ only in what is cut off.
TOTALS = st.sampled_from(["0", "0.4", "0.49999999", "0.5", "0.509", "1", "1.00000001", "1.01", "9999999999.99999999"])
BASES = st.sampled_from(["0", "0.00000001", "0.01", "0.4"])
PARTICIPANT = st.tuples(BASES, TOTALS, st.booleans())  # disqualified or not


class Field:
    """Participants of a race, whose readings are replaced in each example."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        members, readings = Members(database), Readings(database)
        readings.remove_all()
        self.race_id = Races(database).new(min_wager=MIN_WAGER)
        uids = [f"uid-{self.race_id}-{number}" for number in range(MOST)]
        self.user_ids = [members.new(seeds=False, uid=uid).id for uid in uids]
        self._feeds = [readings.feed(at, dict.fromkeys(uids, "0")) for at in (START, END + MINUTE)]

    def replace(self, drawn: Sequence[tuple[str, str, bool]], order: Sequence[int]) -> None:
        """Let members take part who joined, and whose readings were stored, in an order."""
        accounts = sa.text("SELECT user_id, id FROM wager_accounts WHERE user_id = ANY(:ids)")
        with self._database.begin() as connection:
            ids = {row.user_id: row.id for row in connection.execute(accounts, {"ids": self.user_ids})}
            connection.execute(sa.delete(wager_race_participants))
            connection.execute(sa.delete(wager_readings))
            for number in order:
                base, total, is_disqualified = drawn[number]
                user_id = self.user_ids[number]
                connection.execute(
                    sa.insert(wager_race_participants).values(
                        race_id=self.race_id,
                        user_id=user_id,
                        total_wager=0,
                        disqualified_at=END if is_disqualified else None,
                    )
                )
                for at, feed_id, amount in ((START, self._feeds[0], base), (END, self._feeds[1], total)):
                    reading = {"account_id": ids[user_id], "requested_at": at, "feed_id": feed_id, "total": amount}
                    connection.execute(sa.insert(wager_readings).values(reading))

    def ranks(self) -> dict[int, tuple[int | None, Decimal]]:
        """The rank and the score of each participant."""
        with self._database.connect() as connection:
            rows = connection.execute(ranked(scored(wager_races.c.id == self.race_id))).all()
        return {self.user_ids.index(row.user_id): (row.rank, row.score) for row in rows}


@pytest.fixture(scope="module")
def field(database: sa.Engine) -> Field:
    return Field(database)


def count_plainly(drawn: Sequence[tuple[str, str, bool]]) -> dict[int, tuple[int | None, Decimal]]:
    """One more than how many ranked ones have a higher score."""
    risen = [max(Decimal(total) - Decimal(base), Decimal(0)) for base, total, _ in drawn]
    scores = [rise.quantize(Decimal("0.01"), ROUND_FLOOR) for rise in risen]
    counted = [score for score, one in zip(scores, drawn, strict=True) if score >= MIN_WAGER and not one[2]]
    return {
        number: (1 + sum(other > score for other in counted) if score >= MIN_WAGER and not one[2] else None, score)
        for number, (score, one) in enumerate(zip(scores, drawn, strict=True))
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(PARTICIPANT, max_size=MOST), chance=st.randoms(use_true_random=False))
@example(drawn=[("0", "1", False)] * MOST, chance=None)
@example(drawn=[("0.00000001", "1.00000001", False), ("0", "1", False), ("0", "1.01", False)], chance=None)
def test_ranks_are_those_of_a_plain_count_in_any_order(
    field: Field, drawn: list[tuple[str, str, bool]], chance: Random | None
) -> None:
    order = list(range(len(drawn)))
    if chance is not None:
        chance.shuffle(order)
    field.replace(drawn, order)
    assert field.ranks() == count_plainly(drawn)
    field.replace(drawn, order[::-1])
    assert field.ranks() == count_plainly(drawn)
