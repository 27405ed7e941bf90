"""GET /v1/wheel/spins/{id}: one spin, with all that verifies it."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import verify_spin

from goatedvips.models.wheel import wheel_spins
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.rows import insert_row
from tests.support.spins import Spins

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
SEGMENTS = [{"label": "Most", "weight": 7, "value": "3.00"}, {"label": "Nothing", "weight": 3, "value": "0.00"}]


def test_a_spin_keeps_the_segments_on_which_it_was_drawn_and_is_verified_by_the_answer_only(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(session_lifetime=timedelta(days=3650))
    spins = Spins(database)
    with spins.version(SEGMENTS) as version, spins.version(SEGMENTS[::-1], NOON + timedelta(hours=12)):
        receipt = functions.call("spin_wheel", by=member, body={"client_seed": "mine"}, now=NOON).json
        functions.call("rotate_seed", by=member, now=NOON)
        answer = functions.call("get_spin", by=member, path=f"/v1/wheel/spins/{receipt['id']}").json
        assert [{key: part[key] for key in ("label", "weight", "value")} for part in answer["segments"]] == SEGMENTS
        assert [part["odds"] for part in answer["segments"]] == ["0.7", "0.3"]
        assert (answer["version"], answer["segment"]) == (version, receipt["segment"])
        drawn = answer["fairness"]
        weights = [part["weight"] for part in answer["segments"]]
        seed = bytes.fromhex(drawn["server_seed"])
        assert verify_spin.draw(seed, drawn["client_seed"], drawn["nonce"], weights)[1] == receipt["segment_index"]
        (listed,) = functions.call("list_spins", by=member).json["items"]
        assert listed.items() <= answer.items()


def test_an_adopted_spin_has_no_fairness_and_no_segments(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    spin_id = insert_row(database, wheel_spins, user_id=member.id, segment_index=3, timestamp=NOON)
    answer = functions.call("get_spin", by=member, path=f"/v1/wheel/spins/{spin_id}").json
    assert answer == {
        "id": spin_id,
        "spun_at": "2031-05-01T12:00:00Z",
        "segment_index": 3,
        "segment": None,
        "reward_code": None,
        "version": None,
        "fairness": None,
        "published_at": None,
        "segments": None,
    }


def test_an_absent_spin_and_another_member_s_are_not_found(functions: Functions, members: Members) -> None:
    receipt = functions.call("spin_wheel", by=members.new(), body={}).json
    for spin_id in (receipt["id"], 2**31 - 1, 2**31, 0, "x"):
        answer = functions.call("get_spin", by=members.new(), path=f"/v1/wheel/spins/{spin_id}")
        assert (answer.status, answer.json["code"]) == (404, "not_found"), spin_id
    assert functions.call("get_spin", path=f"/v1/wheel/spins/{receipt['id']}").status == 401
