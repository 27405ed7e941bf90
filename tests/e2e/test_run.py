"""`make run`: it is started, tried with its printed lines, stopped, and started again on the same data."""

import gzip
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes
from goatedvips.models.notifications import push_subscriptions
from local import demo, demo_feeds
from tests.support.make_run import ROOT, Run, start
from tests.support.members import Member, Members

# One platform for all of them, on one worker.
pytestmark = pytest.mark.xdist_group("run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    started = start(folder)
    yield started
    if started.process.poll() is None:
        started.stop()


def documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents of a text without separators."""
    decoder = json.JSONDecoder()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].lstrip()


def test_the_printed_lines_do_what_they_say(run: Run) -> None:
    lines = run.printed[run.printed.index("API=") : run.printed.index("Ctrl-C")]
    done = subprocess.run(["bash", "-euc", lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answered, header, table = done.stdout.partition("id,batch_id,")
    answers = list(documents(answered))
    me, tiers, earned, spin, claim, joined, leaderboard, board, of_months, *others = answers
    ticket, subscription, account, code, *news, batch = others
    assert (me["username"], me["is_staff"]) == ("lucky_goat", False)
    assert me["next_tier"] == demo_feeds.NEXT_TIER in [tier["name"] for tier in tiers["tiers"]]
    assert 0 < Decimal(me["missing"]) <= demo_feeds.NEXT_STEP * 3 / 2
    assert [reward["source_type"] for reward in earned["items"]] == ["grant", "grant"]
    assert spin["fairness"]["client_seed"] == "lucky-goat"
    assert claim["code"] == "WELCOME-GOAT"
    assert joined["user_id"] == me["id"]
    assert [part["rank"] for part in leaderboard["items"]] == [1, 2, 3]
    assert [part["rank"] for part in board["items"]] == [1, 2, 3]
    assert (board["stale"], of_months["items"]) == (False, []), "no month is over yet"
    assert ticket["status"] == "open"
    assert subscription == {"status": "pending"}
    assert account["username"].startswith("kid")
    assert code["max_claims"] == 10
    assert [campaign["subject"] for campaign in news] == ["News"] * 2
    assert (batch["count"], batch["amount"]) == (1, "12.50")
    assert (header + table).count(f",{me['id']},") == 2, "the payout, and the paid one of the demo data"


def test_each_step_and_each_url_has_a_line(run: Run) -> None:
    lines = run.printed.splitlines()
    steps = [line for line in lines if line.endswith(" …")]
    assert [step.split()[0] for step in steps] == ["Starting", "Migrating", "Reading", "Loading"]
    urls = [line for line in lines if re.match(r"(API|Documentation|Caught mail|Database) ", line)]
    assert len(urls) == 4
    assert all(line.count("://") == 1 for line in urls)


def test_the_feed_of_the_stand_in_is_fetched_at_the_start(run: Run, folder: Path) -> None:
    end = time.monotonic() + 30
    while not (found := sorted((folder / "s3/feed").rglob("*.jsonl.gz"))) and time.monotonic() < end:
        time.sleep(0.2)
    line = json.loads(gzip.decompress(found[0].read_bytes()))
    assert line["status"] == 200
    uids = {entry["uid"] for entry in json.loads(line["body"])["data"]}
    assert {uid for uid, _ in demo.CASINO_ACCOUNTS} < uids
    assert httpx.get(run.found(r"Affiliate feed +(\S+)")).json()["success"] is True


def test_the_log_in_that_the_documentation_shows_works(run: Run) -> None:
    document = httpx.get(f"{run.base}/v1/openapi.json").json()
    body = document["paths"]["/v1/sessions"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = httpx.post(f"{run.base}/v1/sessions", json=body)
    assert (answer.status_code, answer.json()["user"]["username"]) == (201, "lucky_goat")


@pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator runs only on Linux")
@pytest.mark.parametrize("name", ["spin_wheel", "log_in"])
def test_make_invoke_works_beside_it_after_the_printed_lines(run: Run, folder: Path, name: str) -> None:
    program = "import pathlib, sys; from database import local; local.FOLDER = pathlib.Path(sys.argv[1])"
    program += "; from local.invoke import main; main(sys.argv[2])"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statusCode"] == 201


def test_a_push_message_reaches_its_browser_and_a_browser_that_is_gone_gets_no_more(run: Run) -> None:
    member, staff = (
        httpx.post(f"{run.base}/v1/sessions", json={"login": login, "password": demo.PASSWORD}, timeout=30).json()
        for login in (demo.MEMBER, demo.STAFF)
    )
    headers = [{"Authorization": f"Bearer {session['token']}"} for session in (member, staff)]
    ours, gone = (httpx.post(f"{run.base}/push/browsers").json() for _ in range(2))
    for subscription in (ours, gone):
        added = httpx.post(f"{run.base}/v1/me/push-subscriptions", headers=headers[0], json=subscription)
        assert added.status_code == 201
    httpx.put(f"{run.base}/push/behaviour", json={"status": 410, "endpoint": gone["endpoint"]}).raise_for_status()
    body = {"subject": "My reward", "description": "Where is it?"}
    ticket = httpx.post(f"{run.base}/v1/tickets", headers=headers[0], json=body).json()
    answer = {"message": "There."}
    httpx.post(f"{run.base}/v1/tickets/{ticket['id']}/messages", headers=headers[1], json=answer).raise_for_status()

    left = sa.select(push_subscriptions.c.endpoint).where(push_subscriptions.c.user_id == member["user"]["id"])
    engine = sa.create_engine(run.found(r"Database +(\S+)").replace("://", "+pg8000://", 1))
    end, endpoints = time.monotonic() + 60, [ours["endpoint"], gone["endpoint"]]
    while len(endpoints) > 1 and time.monotonic() < end:
        time.sleep(0.2)
        with engine.connect() as connection:
            endpoints = list(connection.scalars(left))
    engine.dispose()
    assert endpoints == [ours["endpoint"]]
    caught = {one["endpoint"]: one for one in httpx.get(f"{run.base}/push.json").json()["items"]}
    assert [caught[browser["endpoint"]]["status"] for browser in (ours, gone)] == [201, 410]
    assert caught[ours["endpoint"]]["message"]["notification"]["title"] == f"Answer to your ticket #{ticket['id']}"
    assert "Answer to your ticket" in httpx.get(f"{run.base}/push").text


def token_mailed(run: Run, to: str, page: str) -> str:
    """The token of the link in the one mail that was sent there; its page is there too."""
    end = time.monotonic() + 30
    caught: list[dict[str, str]] = []
    while not caught and time.monotonic() < end:
        caught = httpx.get(f"{run.base}/mail.json", params={"to": to}).json()["items"]
        time.sleep(0.2)
    (mail,) = caught
    link = re.search(rf"(http\S+/{page})#token=(\S+)", mail["text"])
    assert link is not None, mail["text"]
    assert httpx.get(link[1]).headers["content-type"].startswith("text/html")
    return link[2]


def test_the_mail_arrives_and_its_link_works_once(run: Run) -> None:
    httpx.post(f"{run.base}/v1/newsletter/subscriptions", json={"email": "reader@example.com"})
    token = token_mailed(run, "reader@example.com", "newsletter/confirm")
    confirm = f"{run.base}/v1/newsletter/confirmations"
    assert httpx.post(confirm, json={"token": token}).status_code == 200
    again = httpx.post(confirm, json={"token": token})
    assert (again.status_code, again.json()["code"]) == (404, "token_invalid")


def test_one_click_in_a_mail_program_unsubscribes(run: Run) -> None:
    httpx.post(f"{run.base}/v1/newsletter/subscriptions", json={"email": "clicker@example.com"})
    token = token_mailed(run, "clicker@example.com", "newsletter/confirm")
    assert httpx.post(f"{run.base}/v1/newsletter/confirmations", json={"token": token}).status_code == 200
    (mail,) = httpx.get(f"{run.base}/mail.json", params={"to": "clicker@example.com"}).json()["items"]
    headers = {header["name"]: header["value"] for header in mail["headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>")
    assert link.startswith(f"{run.base}/v1/newsletter/unsubscribe?token=newsletter.")
    assert {httpx.get(link).status_code, httpx.head(link).status_code} == {200}
    one_click = {"List-Unsubscribe": "One-Click"}
    files = {name: (None, value) for name, value in one_click.items()}
    state = sa.text("SELECT is_subscribed FROM newsletter_subscriptions WHERE email = 'clicker@example.com'")
    for body in ({}, {"data": one_click}, {"files": files}):
        assert state_of(run, state) == (body == {})
        assert httpx.post(link, **body).status_code == 200
    assert state_of(run, state) is False


def state_of(run: Run, state: sa.TextClause) -> object:
    with run.database.connect() as connection:
        return connection.scalar(state)


def test_the_pages_behind_links_in_mail_and_problems_open(run: Run) -> None:
    for path in ("/verify", "/problems/already_spun"):
        shown, looked_at = httpx.get(run.base + path), httpx.head(run.base + path)
        assert (shown.status_code, looked_at.status_code) == (200, 200)
        assert shown.headers["content-type"] == looked_at.headers["content-type"] == "text/html; charset=utf-8"
        assert shown.text.startswith("<!doctype html>")
    assert httpx.get(f"{run.base}/v1/users/1%0a").status_code == 404


@pytest.fixture(scope="module")
def browsers(run: Run) -> dict[str, str]:
    """The endpoints of two browsers of a member whose ticket is answered: one takes messages, and one is gone."""
    members = Members(run.database)
    member, staff = members.new(username="two-browsers", username_key="two-browsers"), members.staff()

    def call(by: Member, path: str, **body: object) -> Any:
        headers = {"Authorization": f"Bearer {by.token}", "Idempotency-Key": secrets.token_hex(8)}
        answer = httpx.post(f"{run.base}{path}", headers=headers, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    subscriptions = [httpx.post(f"{run.base}/push/browsers").json() for _ in range(2)]
    present, gone = (call(member, "/v1/me/push-subscriptions", **subscription) for subscription in subscriptions)
    behaviour = {"status": 410, "endpoint": gone["endpoint"]}
    assert httpx.put(f"{run.base}/push/behaviour", json=behaviour).status_code == 200
    ticket = call(member, "/v1/tickets", subject="Where are my $500?", description="?")
    call(staff, f"/v1/tickets/{ticket['id']}/messages", message="Here they are.")
    return {"ticket": str(ticket["id"]), "present": present["endpoint"], "gone": gone["endpoint"]}


def test_an_answer_is_queued_for_each_browser(run: Run, browsers: dict[str, str]) -> None:
    """They leave within 10 seconds, while the next tests run."""
    of_ticket = sa.text("SELECT channel FROM outbox WHERE payload ->> 'ticket_id' = :ticket AND kind = 'ticket_reply'")
    with run.database.connect() as connection:
        channels = connection.scalars(of_ticket, {"ticket": browsers["ticket"]}).all()
    assert sorted(channels) == ["mail", "push", "push"]


def test_each_of_many_concurrent_members_sees_only_their_own_data(run: Run) -> None:
    members = Members(run.database)
    fifty = [members.new() for _ in range(50)]
    staff = members.staff()
    name = f"ISOLATION {os.getpid()}"
    with httpx.Client(base_url=run.base, timeout=60, limits=httpx.Limits(max_connections=None)) as client:

        def call(member: Member, method: str, path: str, **body: object) -> dict[str, object]:
            token = {"Authorization": f"Bearer {member.token}", "Idempotency-Key": secrets.token_hex(8)}
            answer = client.request(method, path, headers=token, json=body or None)
            assert answer.status_code in {200, 201}, answer.text
            found: dict[str, object] = answer.json()
            return found

        call(staff, "POST", "/v1/admin/codes", code=name, value="1.00", expires_at="2999-01-01T00:00:00Z")

        def act(turn: int) -> bool:
            member, step = fifty[turn % 50], turn // 50
            match step % 8:
                case 0 | 1:
                    me = call(member, "GET", "/v1/me")
                    return (me["id"], me["username"], me["email"]) == (member.id, member.username, member.email)
                case 2:
                    ticket = call(member, "POST", "/v1/tickets", subject=member.username, description="mine")
                    return (ticket["user_id"], ticket["subject"]) == (member.id, member.username)
                case 3:
                    tickets = call(member, "GET", "/v1/tickets?limit=100")["items"]
                    assert isinstance(tickets, list)
                    return {ticket["subject"] for ticket in tickets} <= {member.username}
                case 4:
                    return call(member, "POST", "/v1/codes/claim", code=name)["code"] == name
                case 5:
                    claims = call(member, "GET", "/v1/codes")["items"]
                    assert isinstance(claims, list)
                    return len(claims) <= 1
                case 6:
                    return call(member, "POST", "/v1/races/2/participants")["user_id"] == member.id
            return call(member, "GET", "/v1/me/wheel")["client_seed"] == str(member.id)

        with ThreadPoolExecutor(800) as pool:
            right = list(pool.map(act, range(800)))
    assert right == [True] * 800
    with run.database.connect() as connection:
        subjects = connection.execute(
            sa.text(
                "select t.subject, u.username from support_tickets t join users u on u.id = t.user_id"
                " where u.username like 'member-%'"
            )
        ).all()
        claimed = connection.execute(
            sa.text("select user_id from code_claims where user_id between :first and :last"),
            {"first": fifty[0].id, "last": fifty[-1].id},
        ).scalars()
        assert len(subjects) == 100
        assert all(subject == username for subject, username in subjects)
        assert sorted(claimed) == [member.id for member in fifty]


def test_a_push_message_arrives_and_a_browser_that_is_gone_is_forgotten(run: Run, browsers: dict[str, str]) -> None:
    subscribed = sa.text("SELECT endpoint FROM push_subscriptions WHERE endpoint IN (:present, :gone)")
    end = time.monotonic() + 30
    left: list[str] = []
    while left != [browsers["present"]] and time.monotonic() < end:
        with run.database.connect() as connection:
            left = list(connection.scalars(subscribed, browsers))
        time.sleep(0.2)
    assert left == [browsers["present"]]
    items = httpx.get(f"{run.base}/push.json", params={"endpoint": browsers["present"]}).json()["items"]
    ((status, message),) = [(item["status"], item["message"]) for item in items]
    assert (status, message["web_push"]) == (201, 8030)
    shown = message["notification"]
    assert (shown["title"], shown["body"], shown["navigate"]) == (
        f"Answer to your ticket #{browsers['ticket']}",
        "We have answered your ticket.",
        f"{run.base}/v1/me/notifications",
    )
    outcomes = sa.text("SELECT dropped_reason FROM outbox WHERE channel = 'push' AND payload ->> 'ticket_id' = :ticket")
    with run.database.connect() as connection:
        assert sorted(connection.scalars(outcomes, browsers), key=str) == [None, "subscription_ended"]


def test_lost_rights_take_effect_at_once_although_the_authorizer_s_answer_is_cached(run: Run) -> None:
    members = Members(run.database)
    head = members.staff()

    def call(member: Member, method: str, path: str, **body: object) -> int:
        token = {"Authorization": f"Bearer {member.token}"}
        return httpx.request(method, f"{run.base}{path}", headers=token, json=body or None, timeout=30).status_code

    def tried(staff: Member) -> tuple[int, int]:
        return (
            call(staff, "GET", "/v1/admin/overview"),
            call(staff, "POST", "/v1/tickets", subject="Still here", description="?"),
        )

    logs_out, suspended, demoted, resets = (members.staff() for _ in range(4))
    assert [tried(staff) for staff in (logs_out, suspended, demoted, resets)] == [
        (200, 201)
    ] * 4  # the authorizer's answers are cached now

    assert call(logs_out, "DELETE", "/v1/sessions/current") == 204
    assert call(head, "PATCH", f"/v1/admin/members/{suspended.id}", suspended=True, reason="Enough.") == 200
    assert call(head, "PATCH", f"/v1/admin/members/{demoted.id}", is_admin=False) == 200
    httpx.post(f"{run.base}/v1/password-resets", json={"email": resets.email})
    assert (
        httpx.post(
            f"{run.base}/v1/password-resets/confirm",
            json={"token": token_mailed(run, resets.email, "reset"), "password": "nine lonely lambs"},
        ).status_code
        == 204
    )

    assert tried(logs_out) == (401, 401)
    assert tried(suspended) == (403, 403)
    assert tried(demoted) == (403, 201)
    assert tried(resets) == (401, 401)
    assert call(logs_out, "GET", "/v1/tickets") == 200  # a read relies on the cached answer


def test_it_ran_the_schedules(run: Run, folder: Path) -> None:
    end = time.monotonic() + 70
    log = folder / "functions.log"
    while "AdvanceRacesFunction" not in log.read_text() and time.monotonic() < end:
        time.sleep(0.5)
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"AdvanceRacesFunction"' in line]
    assert any(line.get("message") == "ended" for line in lines), lines


def test_a_second_platform_on_the_same_data_is_refused_with_a_sentence(run: Run, folder: Path) -> None:
    with pytest.raises(AssertionError, match="Another `make run`"):
        start(folder)


def test_it_stops_at_once_and_starts_again_on_the_changed_data(run: Run, folder: Path) -> None:
    password = "seven silent sheep"
    session = httpx.post(f"{run.base}/v1/sessions", json={"login": demo.MEMBER, "password": demo.PASSWORD}).json()
    body = {"current_password": demo.PASSWORD, "new_password": password}
    headers = {"Authorization": f"Bearer {session['token']}"}
    assert httpx.post(f"{run.base}/v1/me/password", json=body, headers=headers).status_code == 204
    with run.database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.username == demo.MEMBER).values(is_admin=True))
        connection.execute(sa.delete(bonus_codes).where(bonus_codes.c.code == "FIRST-TEN"))
        before = connection.execute(sa.text("select count(*) from users")).scalar_one()
    assert run.stop() < 5
    assert run.process.returncode == 0
    again = start(folder)
    try:
        assert again.seconds < 2 * 5, "5 s on a machine that does nothing else"
        with again.database.connect() as connection:
            assert connection.execute(sa.text("select count(*) from users")).scalar_one() == before
            codes = connection.scalars(sa.select(bonus_codes.c.code)).all()
        assert "FIRST-TEN" not in codes
        assert "WELCOME-GOAT" in codes
        answer = httpx.post(f"{again.base}/v1/sessions", json={"login": demo.MEMBER, "password": password})
        assert (answer.status_code, answer.json()["user"]["is_staff"]) == (201, True)
        assert "`make db-reset` creates new accounts" in again.printed
        assert "`make db-reset`" not in run.printed
    finally:
        again.stop()
