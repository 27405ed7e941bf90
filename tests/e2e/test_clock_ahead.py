"""With the clock a year ahead, no function writes the real time: none relies on now() or CURRENT_TIMESTAMP in SQL.

The database's own now() is the real time, so a statement that relied on it would mix two times in `make run` with a
moved clock. Columns of the legacy application have now() as their default for its own inserts; the platform's inserts
name these columns. Triggers for rows of the legacy application may use now(); none does at present.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.dialects.postgresql import JSONB
from werkzeug.serving import make_server

from database.embedded import free_port
from goatedvips.clients import raw_feed
from goatedvips.domain.wagers.feed import FeedPage
from goatedvips.models.every import metadata
from goatedvips.models.races import wager_races
from goatedvips.models.schema import Instant
from local import demo, samples, template
from local.clock import MovableClock
from local.pool import Pool
from local.schedules.moves import SETTLEMENT_DELAY
from local.stand_ins import affiliate, mail, outside, s3
from local.stand_ins.feeds import Casino, Fault
from tests.support import stack

pytestmark = pytest.mark.xdist_group("clock_ahead")  # the second test changes rows of the first one's
YEAR = timedelta(days=365)
EMAIL = "kid@example.com"
# Their sample events are refused. They are called again with what they need: tokens, ids, a member who has spun.
NEED_MORE = {"accept_feed", "cancel_race", "confirm_subscription", "leave_race"}
NEED_MORE |= {"reset_password", "revoke_batch", "revoke_code", "rotate_seed", "settle_race", "update_participant"}
NEED_MORE |= {"unsubscribe", "verify_email", "withdraw_payout"}


@dataclass
class Platform:
    """The functions with a clock a year ahead, their database, and the mail that they send."""

    pool: Pool
    plan: template.Template
    url: str
    base: str
    """Of the stand-ins."""
    database: sa.Engine
    mailbox: mail.Mailbox
    started: datetime
    """By the real time, before the first row was written."""

    def prepare(
        self, name: str, *, by: Any = None, row: object = None, key: str = "", body: object = None, query: str = ""
    ) -> dict[str, Any]:
        """Return a function's sample event, changed where a value is given.

        Parameters
        ----------
        by: the caller, as the authorizer writes one.
        row: the id in the path.
        key: the Idempotency-Key.

        """
        event = samples.prepare_event(name, self.url, self.base, self.pool.clock.now())
        context = event.get("requestContext", {})
        if by:
            context["authorizer"] = {"lambda": by}
        if row:
            path = re.sub(r"/\d+", f"/{row}", event["rawPath"], count=1)
            event |= {"rawPath": path, "pathParameters": event["pathParameters"] | {"id": str(row)}}
            context["http"]["path"] = path
        if key:
            event["headers"]["idempotency-key"] = key
        if body is not None:
            event["body"] = json.dumps(body)
        if query:
            event |= {"rawQueryString": query, "queryStringParameters": dict([query.split("=")])}
        return event

    def call(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Send a function an event, and return its answer."""
        answer: dict[str, Any] = self.pool.invoke(self.plan.function(name).name, event)
        return answer

    def write(self, name: str, **changes: Any) -> dict[str, Any]:
        """Call a function that must not refuse, with changes of its sample event, and return its body."""
        answer = self.call(name, self.prepare(name, **changes))
        assert is_done(answer), (name, answer)
        body: dict[str, Any] = json.loads(answer["body"]) if answer.get("body") else {}
        return body

    def token(self, email: str, page: str) -> str:
        """Send the mail that is due, and return the token of the link in the newest mail to an address."""
        self.call("send_notifications", {})
        texts = (caught.mail.text for caught in self.mailbox.find(email))
        match = re.search(rf"/{page}#token=(\S+)", next(text for text in texts if f"/{page}#token=" in text))
        assert match is not None
        return match[1]


def is_done(answer: object) -> bool:
    """Whether a function did its work: it is a scheduled one, or answered with a status below 300."""
    return not isinstance(answer, dict) or answer.get("statusCode", 200) < 300


@pytest.fixture(scope="module")
def platform(servers: stack.Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A database of its own with the demo data; everything from the first row on is a year ahead."""
    name = f"ahead_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    stack.copy(servers, name)
    url, base = servers.direct(name), f"http://127.0.0.1:{free_port()}"
    started = datetime.now(UTC)
    clock = MovableClock()
    clock.move(clock.now() + YEAR)
    demo.load(url, base, clock.now())
    app, mailbox = Flask(__name__), mail.Mailbox()
    mail.serve(app, mailbox)
    api = affiliate.AffiliateApi(Casino(size=100, seed=7))
    outside.add(app, tmp_path_factory.mktemp("s3"), api, clock.now, lambda _: None)
    server = make_server("127.0.0.1", int(base.rsplit(":", 1)[1]), app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    values = template.build_parameters(url, base) | {"NotificationsTimeout": "12"}  # it looks for mail for 2 s
    plan = template.load(values, base)
    pool = Pool(plan.functions, tmp_path_factory.mktemp("pool") / "log", limit=1, clock=clock)
    database = sa.create_engine(sa.make_url(url).set(drivername="postgresql+pg8000"), isolation_level="AUTOCOMMIT")
    yield Platform(pool, plan, url, base, database, mailbox, started)
    pool.stop()
    server.shutdown()
    database.dispose()


@pytest.fixture(scope="module")
def refused(platform: Platform) -> set[str]:
    """Call every function; return those that write and refused their sample event."""
    refused = set()
    for function in platform.plan.functions:
        event = platform.prepare(name := function.file.stem)
        is_read = event.get("requestContext", {}).get("http", {}).get("method") in {"GET", "HEAD"}
        if not is_done(platform.call(name, event)) and not is_read:
            refused.add(name)
    do_more(platform)
    return refused


def test_no_function_writes_the_real_time(platform: Platform, refused: set[str]) -> None:
    assert refused == NEED_MORE
    assert find_times(platform.database, platform.started, datetime.now(UTC)) == {}


def do_more(platform: Platform) -> None:
    """Call the functions that their sample event is not enough for."""
    write = platform.write
    write("register", body={"username": "kid", "email": EMAIL, "password": demo.PASSWORD})
    write("verify_email", body={"token": platform.token(EMAIL, "verify")})
    write("request_password_reset", body={"email": EMAIL})
    write("reset_password", body={"token": platform.token(EMAIL, "reset"), "password": "seven silent sheep"})
    write("subscribe", body={"email": EMAIL})
    write("confirm_subscription", body={"token": platform.token(EMAIL, "newsletter/confirm")})
    event = platform.prepare("unsubscribe", query=f"token={unsubscribe_tokens(platform)[0]}")
    assert is_done(platform.call("unsubscribe", event))

    member = platform.prepare("spin_wheel")["requestContext"]["authorizer"]["lambda"]
    write("spin_wheel", by=member)
    write("rotate_seed", by=member)

    race = write("create_race")["id"]
    write("join_race", by=member, row=race)
    write("leave_race", by=member, row=race)
    write("cancel_race", row=race)

    terms = {"value": "5.00", "expires_at": "2999-01-01T00:00:00Z", "max_claims": 1}
    write("revoke_code", row=write("issue_codes", body=terms, key="one")["id"])
    batch = write("issue_codes", body=terms | {"count": 2}, key="two")["batch_id"]
    write("revoke_batch", query=f"batch_id={batch}")

    write("grant_reward", key="three", body={"user_id": member["user_id"], "amount": "5.00", "reason": "For the test."})
    write("withdraw_payout", row=write("create_payouts", body={})["batch_id"])

    ticket = write("open_ticket", by=member)["id"]
    write("reply_ticket", by=member, row=ticket)
    write("close_ticket", by=member, row=ticket)

    do_more_with_feeds(platform)


def do_more_with_feeds(platform: Platform) -> None:
    """Accept a feed that lacks accounts, and settle a race."""
    write, clock = platform.write, platform.pool.clock
    shrunk = affiliate.AffiliateApi(affiliate.open_casino(demo.CASINO_ACCOUNTS))
    shrunk.behaviour = affiliate.Behaviour(fault=Fault.SHRUNK)
    now = clock.now()
    key = raw_feed.feed_key(now)
    s3.put(platform.base, template.FEED_BUCKET, key, raw_feed.encode_feed([FeedPage(1, *shrunk.answer(now, 1))]))
    event = platform.prepare("ingest_wagers")
    event["detail"]["object"]["key"] = key
    platform.call("ingest_wagers", event)
    write("accept_feed", body={"reason": "The casino closed these accounts."})

    with platform.database.connect() as connection:
        live = sa.select(wager_races.c.id, wager_races.c.end_date).where(wager_races.c.title == demo.MONTH_RACE)
        race, end = connection.execute(live).one()
    write("update_participant", row=race)
    clock.move(end)
    write("ingest_wagers")
    clock.move(end + SETTLEMENT_DELAY)
    write("settle_race", row=race, body={})


def find_times(database: sa.Engine, start: datetime, end: datetime) -> dict[str, int]:
    """Return how many rows have a time between two instants, by column; for JSON and dates between their minutes."""
    minutes = {
        f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M}" for n in range(int((end - start).total_seconds()) // 60 + 2)
    }
    found = {}
    with database.connect() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                condition: sa.ColumnElement[bool]
                match column.type:
                    case Instant():
                        condition = column.between(start, end)
                    case sa.Date():
                        condition = column.between(start.date(), end.date())
                    case JSONB():
                        condition = sa.cast(column, sa.Text).regexp_match("|".join(minutes))
                    case _:
                        continue
                count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition))
                if count:
                    found[str(column)] = count
    return found


def unsubscribe_tokens(platform: Platform) -> list[str]:
    """Return the tokens in the header of mail to the member."""
    headers = (header for caught in platform.mailbox.find(EMAIL) for header in caught.mail.headers)
    return [
        header["value"].strip("<>").split("token=")[1] for header in headers if header["name"] == "List-Unsubscribe"
    ]


def find_tokens(platform: Platform, tokens: list[str]) -> set[str]:
    """Return the tables with a row that has a token in its text, and `log` if a line of the log has one."""
    given = {"tokens": [*tokens, *(token.encode().hex() for token in tokens)]}
    log = platform.pool.log.read_text()
    found = {"log"} if any(token in log for token in tokens) else set()
    with platform.database.connect() as connection:
        for table in metadata.sorted_tables:
            holds = (
                f"SELECT count(*) FROM {table.name} t, unnest(CAST(:tokens AS text[])) x WHERE strpos(t::text, x) > 0"
            )
            if connection.scalar(sa.text(holds), given):
                found.add(table.name)
    return found


def test_no_row_and_no_line_of_the_log_has_a_token_that_could_be_used(platform: Platform, refused: set[str]) -> None:
    """Those of links in mail, of unsubscribing and of sessions, after all functions have been called."""
    assert refused
    logged_in = platform.write("log_in", body={"login": "kid", "password": "seven silent sheep"})
    texts = [caught.mail.text for caught in platform.mailbox.find()]
    in_links = {token for text in texts for token in re.findall(r"#token=(\S+)", text)}
    tokens = [*in_links, *unsubscribe_tokens(platform), logged_in["token"].removeprefix("gvp_")]
    assert len(tokens) >= 5
    assert find_tokens(platform, tokens) == set()
    with platform.database.connect() as connection:
        for number, token in enumerate(tokens):
            planted = sa.text("UPDATE outbox SET last_error = :text WHERE id = (SELECT max(id) FROM outbox)")
            connection.execute(planted, {"text": f"{number} {token}"})
            assert find_tokens(platform, tokens) == {"outbox"}, "what is looked for is found"


def test_a_real_time_is_found_in_each_kind_of_column(platform: Platform) -> None:
    """What the test above looks for is visible to it."""
    start = datetime.now(UTC)
    with platform.database.connect() as connection:
        (user_id,) = connection.execute(sa.text("SELECT min(id) FROM users")).one()
        connection.execute(sa.text("UPDATE users SET last_active = now() WHERE id = :id"), {"id": user_id})
        spun = "UPDATE wheel_spins SET spin_day = now() WHERE id = (SELECT max(id) FROM wheel_spins)"
        connection.execute(sa.text(spun))
        shown = (
            "UPDATE audit_log SET after = jsonb_build_object('at', now()) WHERE id = (SELECT max(id) FROM audit_log)"
        )
        connection.execute(sa.text(shown))
    assert find_times(platform.database, start, datetime.now(UTC)) == {
        "users.last_active": 1,
        "wheel_spins.spin_day": 1,
        "audit_log.after": 1,
    }
