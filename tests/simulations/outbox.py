"""Four senders drain the outbox, and one of them is killed while Amazon SES has its message and it has no answer yet.

The stand-in for SES notes each message: each row must arrive, only those that the killed sender held more than once,
and of no second more than the rate.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.notifications.sending import LEASE
from goatedvips.models.notifications import outbox
from local.stand_ins.ses import accept
from tests.concurrency.together import use_database
from tests.support.functions import Context, function_name, load
from tests.support.processes import fork_server
from tests.support.stack import Stack

SENDERS = 4
RATE = 25  # messages a second, fewer than the senders could send
PATIENCE = 60.0  # seconds without any message, after which the simulation fails
FILL = """
INSERT INTO outbox (kind, address, priority, created_at, due_at)
SELECT 'email_changed', 'goat-' || n || '@example.com', 0, at, at
FROM generate_series(1, :size) n, (SELECT (now() AT TIME ZONE 'UTC') - interval '1 hour' AS at) x
"""
_unsent = sa.select(outbox.c.id).where(outbox.c.sent_at.is_(None))
# What was leased together has one end of its lease, to the microsecond.
_lease = sa.select(outbox.c.leased_until).where(outbox.c.id == sa.bindparam("row")).scalar_subquery()
_held = sa.select(outbox.c.id).where(outbox.c.leased_until == _lease)
_outcomes = sa.select(outbox.c.id, outbox.c.sent_at, outbox.c.failed_at, outbox.c.dropped_at, outbox.c.attempts)


class Server(ThreadingHTTPServer):
    """Says nothing of the connection that the killed sender leaves open."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing."""


@dataclass
class Ses:
    """What arrived: rows of the outbox in their order, and how many of each second of the clock.

    Parameters
    ----------
    kills_at: which message's sender is killed before it gets an answer, counted from 0.
    senders: their processes.
    killed_with: the row of that message.
    """

    kills_at: int
    senders: list[Any] = field(default_factory=list)
    killed_with: int | None = None
    rows: list[int] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, sender: int, request: dict[str, Any], signed_at: str) -> None:
        """Note a message, and kill the sender of one.

        Parameters
        ----------
        signed_at: the second in which it was sent. On a machine with much other work it may arrive in the next one.
        """
        accept(request)
        (row,) = (int(tag["Value"]) for tag in request["EmailTags"] if tag["Name"] == "outbox_id")
        with self.lock:
            if len(self.rows) == self.kills_at:
                os.kill(self.senders[sender].pid, signal.SIGKILL)
                self.killed_with = row
            self.rows.append(row)
            self.seconds[signed_at] += 1


def run(servers: Stack, name: str, *, size: int, seed: int) -> str:
    """Send `size` mails. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`, whose outbox is emptied.
    seed: of the pseudo-random choices.
    """
    chance = random.Random(seed)
    ses = Ses(kills_at=chance.randrange(size // 8, size // 2))
    url = servers.direct(name).replace("postgresql:", "postgresql+pg8000:")
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.execute(sa.text("TRUNCATE outbox"))
        connection.execute(sa.text("UPDATE sender_state SET second = NULL, taken = 0"))
        connection.execute(sa.text(FILL), {"size": size})
    server = Server(("127.0.0.1", 0), _handler(ses))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    crew = ses.senders
    jobs = servers.direct(name, "jobs")
    try:
        crew += [_prepare(jobs, f"{base}/{sender}") for sender in range(SENDERS)]
        for process in crew:
            process.start()
        _wait(ses, lambda: ses.killed_with is not None)
        with owner.connect() as connection:
            held = set(connection.scalars(_held, {"row": ses.killed_with}))
        assert ses.killed_with in held
        _wait(ses, lambda: _find_unsent(owner) <= held)
        crew.append(_prepare(jobs, f"{base}/{SENDERS}", ahead=LEASE))
        crew[-1].start()
        _wait(ses, lambda: not _find_unsent(owner))
    finally:
        for process in crew:
            if process.pid is not None:
                process.kill()
                process.join()
        server.shutdown()
    repeated = {row for row, count in Counter(ses.rows).items() if count > 1}
    with owner.connect() as connection:
        rows = connection.execute(_outcomes).all()
    owner.dispose()
    assert set(ses.rows) == {row.id for row in rows}, "not each mail was sent"
    assert len(rows) == size
    assert all(row.sent_at and not row.failed_at and not row.dropped_at for row in rows)
    assert repeated <= held, f"{len(repeated - held)} mails that nobody held were sent twice"
    assert repeated, "the message at which its sender was killed is sent again"
    assert all(row.attempts == 1 for row in rows if row.id not in held), "a try was counted that was none"
    assert max(ses.seconds.values()) <= RATE, f"{max(ses.seconds.values())} in one second"
    return (
        f"{size} mails by {SENDERS} senders, of whom one was killed with {len(held)} in its hands: {len(repeated)} "
        f"were sent twice; at most {max(ses.seconds.values())} in a second, of {RATE}"
    )


def _find_unsent(owner: sa.Engine) -> set[int]:
    with owner.connect() as connection:
        return set(connection.scalars(_unsent))


def _wait(ses: Ses, is_done: Callable[[], bool]) -> None:
    """Wait as long as messages arrive."""
    arrived, since = -1, time.monotonic()
    while not is_done():
        time.sleep(0.2)
        if arrived != len(ses.rows):
            arrived, since = len(ses.rows), time.monotonic()
        assert time.monotonic() - since < PATIENCE, "mail waits, and none is sent"


def _prepare(url: str, base: str, *, ahead: timedelta = timedelta(0)) -> Any:
    return fork_server().Process(target=_send, args=(url, base, ahead), daemon=True)


def _send(url: str, base: str, ahead: timedelta) -> None:
    """Send mail until the process is killed, by a clock that is ahead of the real one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the metrics and the log
    os.environ["AWS_ENDPOINT_URL_SESV2"] = base
    use_database(url)
    module = load("send_notifications")
    module.settings.mail_rate = RATE
    setattr(module, "utc_now", lambda: datetime.now(UTC) + ahead)  # noqa: B010 - this process has another clock
    while True:
        module.handler({}, Context(function_name("send_notifications"), "simulation", seconds=60))


def _handler(ses: Ses) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            ses.take(int(self.path.split("/")[1]), request, self.headers["X-Amz-Date"])
            body = json.dumps({"MessageId": str(len(ses.rows))}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
