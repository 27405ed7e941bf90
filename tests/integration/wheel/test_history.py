"""`docs/verify_spin.py --history` checks all spins of a member; `client_seed_by` says which spins prove anything."""

import base64
import copy
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import verify_spin

from goatedvips.domain.wheel import fairness
from goatedvips.models.wheel import wheel_seeds
from tests.support.functions import ROOT, Context, Functions, event, load
from tests.support.members import Member, Members
from tests.support.spins import LOST, Spins, weights_of

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
# Wins often, so that a history has wins.
SEGMENTS = [{"label": "Win", "weight": 2, "value": "3.00"}, {"label": "Nothing", "weight": 1, "value": "0.00"}]
type Document = dict[str, Any]


@dataclass
class Story:
    """What a member saw: the answers that they noted at the time, and their export and lists afterwards."""

    member: Member
    notes: list[Document] = field(default_factory=list)
    export: Document = field(default_factory=dict)
    answers: list[Document] = field(default_factory=list)


def at(day: int) -> datetime:
    return NOON + timedelta(days=day)


def call(functions: Functions, story: Story, name: str, day: int, **changes: Any) -> Document:
    answer = functions.call(name, by=story.member, now=at(day), **changes)
    assert answer.status in {200, 201}, answer.text
    found: Document = answer.json
    return found


def export_of(member: Member) -> Document:
    answer = load("export_me").handler(event("export_me", by=member), Context("ExportMeFunction", "1"))
    document: Document = json.loads(gzip.decompress(base64.b64decode(answer["body"])))
    return document


@pytest.fixture
def story(functions: Functions, members: Members, database: sa.Engine) -> Story:
    """Twelve spins on three server seeds and two versions of the wheel, with a rotation after every four spins."""
    story = Story(members.new(session_lifetime=timedelta(days=3650)))
    spins = Spins(database)
    with spins.version(SEGMENTS), spins.version(SEGMENTS[::-1], at(6)):
        for day in range(12):
            story.notes.append(call(functions, story, "get_my_wheel", day))
            story.notes.append(call(functions, story, "get_wheel", day))
            body = {"client_seed": f"mine-{day}"} if day % 3 else {}
            story.notes.append(call(functions, story, "spin_wheel", day, body=body))
            if day % 4 == 3:
                body = {"client_seed": "rotated"} if day == 7 else {}
                story.notes.append(call(functions, story, "rotate_seed", day, body=body))
        story.export = export_of(story.member)
        lists = [call(functions, story, name, 12, query={"limit": "100"}) for name in ("list_seeds", "list_spins")]
        paths = [f"/v1/wheel/spins/{spin['id']}" for spin in lists[1]["items"]]
        of_each = [call(functions, story, "get_spin", 12, path=path) for path in paths]
        story.answers = [call(functions, story, "get_me", 12), *lists, of_each[0], of_each[-1]]
    return story


def refusals(documents: list[Document], notes: list[Any]) -> set[str]:
    """The names of what is refused."""
    history = verify_spin.History(documents)
    history.check(notes)
    return {line.partition(":")[0] for line in history.refused}


def test_an_honest_history_is_accepted_from_the_export_and_from_the_lists(story: Story) -> None:
    assert len({spin["version_id"] for spin in story.export["wheel_spins"]}) == 2
    for documents in ([story.export], story.answers):
        history = verify_spin.History(documents)
        history.check(story.notes)
        assert history.refused == []
        assert history.summary().startswith("12 of 12 spins have a revealed seed")
        younger = [remark for remark in history.remarks if "is younger than the client seed" in remark]
        assert younger == [], "every client seed since the second version is younger than it"


def test_a_version_younger_than_the_client_seed_is_named(story: Story) -> None:
    export = copy.deepcopy(story.export)
    export["wheel_versions"][1]["created_at"] = at(8).isoformat()
    history = verify_spin.History([export])
    history.check([])
    assert any(f"version {export['wheel_versions'][1]['id']} of the wheel is younger" in one for one in history.remarks)


def _spin(export: Document, *, wins: bool) -> Document:
    return next(spin for spin in export["wheel_spins"] if bool(spin["reward_code"]) == wins)


def change_result(export: Document) -> None:
    spin = _spin(export, wins=True)
    spin |= {"segment_index": 1 - spin["segment_index"], "reward_code": None}


def leave_out_a_win(export: Document) -> None:
    export["wheel_spins"].remove(_spin(export, wins=True))


def leave_out_the_last_win(export: Document) -> None:
    """The number of spins is lowered as well, so only what the member noted shows that one is absent."""
    spin = [spin for spin in export["wheel_spins"] if spin["reward_code"]][-1]
    (seed,) = (seed for seed in export["wheel_seeds"] if seed["id"] == spin["seed_id"])
    of_seed = [one for one in export["wheel_spins"] if one["seed_id"] == seed["id"] and one["nonce"] >= spin["nonce"]]
    seed["nonce"] = spin["nonce"]
    export["wheel_spins"] = [one for one in export["wheel_spins"] if one not in of_seed]


def change_odds(export: Document) -> None:
    export["wheel_versions"][0]["segments"][0]["value"] = "2.00"


def swap_a_seed(export: Document) -> None:
    revealed = [seed for seed in export["wheel_seeds"] if seed.get("server_seed")]
    revealed[0]["server_seed"], revealed[1]["server_seed"] = revealed[1]["server_seed"], revealed[0]["server_seed"]


def swap_a_seed_and_its_commitment(export: Document) -> None:
    seed = next(seed for seed in export["wheel_seeds"] if seed.get("server_seed"))
    seed["server_seed"] = "00" * 32
    seed["server_seed_hash"] = fairness.commitment(bytes(32))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (change_result, "changed result"),
        (leave_out_a_win, "left-out spin"),
        (leave_out_the_last_win, "left-out spin"),
        (change_odds, "changed odds"),
        (swap_a_seed, "swapped seed"),
        (swap_a_seed_and_its_commitment, "commitment differs from the one noted before"),
    ],
)
def test_a_changed_history_is_refused_by_name(story: Story, change: Callable[[Document], None], name: str) -> None:
    export = copy.deepcopy(story.export)
    change(export)
    assert name in refusals([export], story.notes)


def test_a_changed_history_without_notes_is_refused_where_it_contradicts_itself(story: Story) -> None:
    for change, name in (
        (change_result, "changed result"),
        (leave_out_a_win, "left-out spin"),
        (swap_a_seed, "swapped seed"),
    ):
        export = copy.deepcopy(story.export)
        change(export)
        assert name in refusals([export], []), name


def test_answers_that_contradict_each_other_are_refused(story: Story) -> None:
    me, seeds, spins, newest, oldest = story.answers
    for changed, name in (
        ([me, seeds, {"items": spins["items"][:1] + spins["items"][2:]}, newest, oldest], "left-out spin"),
        ([me, seeds, spins, newest], "unknown odds"),
        ([me, {"items": seeds["items"][:-1]}, spins, newest, oldest], "unknown seed"),
    ):
        assert name in refusals(copy.deepcopy(changed), []), name
    spins = copy.deepcopy(spins)
    spins["items"][1]["fairness"]["client_seed_by"] = "house"
    assert refusals([me, seeds, spins, newest, oldest], []) & {"wrong client_seed_by"}


def run_verifier(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(ROOT / "docs/verify_spin.py"), "--history", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_prints_what_is_refused(story: Story, tmp_path: Path) -> None:
    run = partial(run_verifier, tmp_path)
    (tmp_path / "export.json").write_text(json.dumps(story.export))
    (tmp_path / "wheel.json").write_text(json.dumps(story.notes[0]))
    done = run("export.json", "--noted", "wheel.json", story.notes[0]["server_seed_hash"])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing is refused")
    done = run("export.json", "--noted", "0" * 64)
    assert done.returncode == 1
    assert "refused: commitment differs from the one noted before: no seed has 0000" in done.stdout
    seeds = tmp_path / "seeds.json"
    seeds.write_text(json.dumps(story.answers[1]))
    assert "add the answer of GET /v1/me" in run("seeds.json").stderr
    (tmp_path / "export.json.gz").write_bytes(gzip.compress(json.dumps(story.export).encode()))
    (tmp_path / "windows.json").write_text(json.dumps(story.export), encoding="utf-16")
    for file in ("export.json.gz", "windows.json"):
        assert run(file, "--noted", "wheel.json").stdout.endswith("nothing is refused\n"), file


def test_the_command_refuses_files_that_it_would_not_check(story: Story, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(story.export))
    (tmp_path / "wheel.json").write_text(json.dumps(story.notes[0]))
    (tmp_path / "refusal.json").write_text('{"message": "Unauthorized"}')
    (tmp_path / "half.json").write_text(json.dumps(story.export)[:-1])
    (tmp_path / "half.gz").write_bytes(gzip.compress(b"{}" * 1000)[:20])
    for arguments, file in (
        (["absent.json"], "absent.json cannot be read"),
        (["half.json"], "half.json cannot be read"),
        (["half.gz"], "half.gz cannot be read"),
        (["wheel.json"], "wheel.json is not one"),
        (["refusal.json"], "refusal.json is not one"),
        (["export.json", "--noted", "refusal.json"], "refusal.json is not one"),
        (["export.json", "--noted", "export.json"], "export.json is not one"),
        (["export.json", "--noted", "0" * 63], "0 cannot be read"),
    ):
        done = run_verifier(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert file in done.stderr, arguments
        assert "Traceback" not in done.stderr, arguments


def find_losing_seed(client_seed: str, weights: list[int], spins: int) -> bytes:
    """Search, as a dishonest house could, for a server seed with which every spin loses."""
    return next(
        seed
        for seed in (number.to_bytes(32) for number in count(1))
        if all(fairness.draw(seed, client_seed, nonce, weights) == LOST for nonce in range(spins))
    )


@pytest.mark.parametrize("repeated", [None, "front-end"], ids=["the member's id", "a value that a page repeats"])
def test_a_server_seed_that_was_searched_for_passes_the_verifier_and_the_answer_says_house(
    functions: Functions, members: Members, database: sa.Engine, repeated: str | None
) -> None:
    """Thirty spins lose, with a commitment that was shown before them. Only `client_seed_by` tells the difference."""
    story, spins = Story(members.new(session_lifetime=timedelta(days=3650))), 30
    body = {} if repeated is None else {"client_seed": repeated}
    target = wheel_seeds.c.activated_at.is_not(None)
    if repeated is not None:  # the seeds of a new member were made before the house saw the value
        assert call(functions, story, "spin_wheel", 0, body=body)["fairness"]["client_seed_by"] == "member"
        call(functions, story, "rotate_seed", 0, body={})
        assert call(functions, story, "spin_wheel", 1, body=body)["fairness"]["client_seed_by"] == "member"
        target = wheel_seeds.c.activated_at.is_(None)
    ground = find_losing_seed(repeated or str(story.member.id), weights_of(database), spins)
    of_member = sa.update(wheel_seeds).where(wheel_seeds.c.user_id == story.member.id, target)
    with database.connect() as connection:
        connection.execute(of_member.values(server_seed=ground))
    if repeated is not None:
        call(functions, story, "rotate_seed", 1, body={})
    story.notes.append(call(functions, story, "get_my_wheel", 2))
    receipts = [call(functions, story, "spin_wheel", 2 + day, body=body) for day in range(spins)]
    assert {receipt["segment_index"] for receipt in receipts} == {LOST}
    assert {receipt["fairness"]["client_seed_by"] for receipt in receipts} == {"house"}
    call(functions, story, "rotate_seed", 2 + spins, body={})
    history = verify_spin.History([export_of(story.member)])
    history.check([*story.notes, *receipts])
    assert history.refused == []
    assert f"by the house {spins};" in history.summary()
