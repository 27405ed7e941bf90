"""Processes that are killed while they spin and claim; each request is then sent again with its Idempotency-Key.

Several processes serve requests, as Lambda environments do, behind a link that delays what they send. At random
moments all of them get SIGKILL at once, as if their machine had failed, and new ones take over.
"""

import json
import os
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any

import sqlalchemy as sa

from database.checks.questions import Undecided
from database.checks.reconciliation import differences
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.operations import idempotency_records
from goatedvips.models.wheel import wheel_seeds, wheel_spins
from tests.concurrency.together import use_database
from tests.support.codes import Code, Codes
from tests.support.functions import Context, event, function_name, load
from tests.support.members import Member, Members
from tests.support.processes import fork_server
from tests.support.stack import Stack
from tests.support.wire import Wire

PROCESSES = 4
LINK_DELAY = 0.004  # seconds by which the link delays what a process sends
LONGEST_LIFE = 0.06  # seconds for which the processes go on after each has answered once
SEEN_WITHIN = 0.2  # seconds in which an open transaction is waited for
MAX_CLAIMS = 3  # of a limited code, which twice as many members try to claim
TRY_AGAIN = ("idempotency_in_progress", "database_unavailable")  # codes of problems
IN_TRANSACTION = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND usename = 'api' AND xact_start IS NOT NULL"
)


@dataclass
class Request:
    """A request of a member with its key: how often it was sent, and its final answer."""

    function: str
    member: Member
    given: dict[str, Any]
    code: str | None = None
    sent: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the answer is no refusal."""
        return self.answer["statusCode"] in (200, 201)

    @property
    def body(self) -> Any:
        """The body of the answer, parsed."""
        return json.loads(self.answer["body"])


@dataclass
class Worker:
    """A process that serves one request at a time."""

    process: Any
    channel: Connection
    request: Request | None = None
    has_answered: bool = False


@dataclass
class Kills:
    """How often processes were killed.

    Parameters
    ----------
    in_transaction: how many of them had a transaction open, as pg_stat_activity showed right before.
    """

    all: int = 0
    in_transaction: int = 0


def run(servers: Stack, name: str, *, size: int, seed: int) -> str:
    """Serve spins and claims, half each, kill the processes, and check what is left. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: how many requests are served.
    seed: of the pseudo-random choices.
    """
    chance = random.Random(seed)
    url = servers.direct(name).replace("postgresql:", "postgresql+pg8000:")
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    link = Wire(servers.pooler or servers.postgres, delay=LINK_DELAY)
    through_link = sa.make_url(servers.pooled(name)).set(port=link.port).render_as_string(hide_password=False)
    members, codes, kills = Members(owner), Codes(owner), Kills()
    before = _differences(owner)
    try:
        people = [members.new(seeds=number % 2 > 0) for number in range(size // 2)]
        spins = [_request("spin_wheel", person) for person in people]
        _serve(owner, name, through_link, spins, chance, kills)
        assert all(spin.succeeded for spin in spins), "a spin that was sent again is refused"
        limited = [codes.new(max_claims=MAX_CLAIMS) for _ in range(len(people) // (2 * MAX_CLAIMS) + 1)]
        claims = [
            _request("claim_code", spin.member, spin.body["reward_code"] or limited[number // (2 * MAX_CLAIMS)].code)
            for number, spin in enumerate(spins)
        ]
        _serve(owner, name, through_link, claims, chance, kills)
        _check_spins(owner, spins)
        claimed = _check_claims(owner, claims, limited)
        _check_keys(owner, through_link, spins + claims)
        assert _differences(owner) == before, "the ledger does not reconcile"
    finally:
        link.close()
        owner.dispose()
    assert kills.in_transaction >= size // 10, f"only {kills} hit an open transaction"
    return (
        f"{len(spins)} spins and {len(claims)} claims, {claimed} of them successful; {kills.all} processes killed, "
        f"{kills.in_transaction} of them with a transaction open"
    )


def _request(function: str, member: Member, code: str | None = None) -> Request:
    headers = {"idempotency-key": function}
    return Request(
        function, member, event(function, by=member, body={"code": code} if code else {}, headers=headers), code
    )


def _serve(owner: sa.Engine, name: str, url: str, requests: list[Request], chance: random.Random, kills: Kills) -> None:
    """Send each request until it has a final answer: again if the process that served it was killed."""
    waiting = deque(requests)
    with owner.connect() as watcher:
        while waiting:
            crew = _start(url)
            life, ends_at, open_transactions = chance.uniform(0, LONGEST_LIFE), None, 0
            while not open_transactions and _exchange(crew, waiting):
                now = time.monotonic()
                if ends_at is None and all(worker.has_answered for worker in crew):
                    ends_at = now + life
                elif ends_at is not None and now > ends_at:
                    open_transactions = watcher.execute(IN_TRANSACTION, {"name": name}).scalar_one()
                    if now > ends_at + SEEN_WITHIN:
                        break
            for worker in crew:
                worker.process.kill()
            kills.all += len(crew)
            kills.in_transaction += min(open_transactions, len(crew))
            for worker in crew:
                worker.process.join()
                if worker.request is not None:
                    _collect(worker, waiting)


def _start(url: str) -> list[Worker]:
    crew = []
    for _ in range(PROCESSES):
        ours, theirs = fork_server().Pipe()
        process = fork_server().Process(target=_work, args=(url, theirs), daemon=True)
        process.start()
        theirs.close()
        crew.append(Worker(process, ours))
    for worker in crew:
        worker.channel.recv()  # it is ready
    return crew


def _work(url: str, channel: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the metrics and the log
    with use_database(url).connect():
        channel.send(None)
    while True:
        function, given = channel.recv()
        channel.send(load(function).handler(given, Context(function_name(function), "simulation")))


def _exchange(crew: list[Worker], waiting: deque[Request]) -> bool:
    """Give idle processes requests and collect answers for some milliseconds. Return whether anything is to be done."""
    for worker in crew:
        if worker.request is None and waiting:
            worker.request = waiting.popleft()
            worker.request.sent += 1
            worker.channel.send((worker.request.function, worker.request.given))
    busy = {worker.channel: worker for worker in crew if worker.request is not None}
    ready = wait(busy, 0.002)
    for channel, worker in busy.items():
        if channel in ready:
            _collect(worker, waiting)
    return bool(waiting or busy)


def _collect(worker: Worker, waiting: deque[Request]) -> None:
    """Take the answer of a process. Without one, or if it says that the request can be tried again, it waits anew."""
    request, worker.request = worker.request, None
    assert request is not None
    try:
        answer = worker.channel.recv()
    except (EOFError, ConnectionResetError):  # killed, perhaps before it took the request
        waiting.append(request)
        return
    worker.has_answered = True
    if json.loads(answer["body"]).get("code") in TRY_AGAIN:
        waiting.append(request)
    else:
        request.answer = answer


def _check_spins(owner: sa.Engine, spins: list[Request]) -> None:
    """Each member has one spin, the one that was answered, and the code that it won."""
    spun = sa.select(wheel_spins.c.user_id, wheel_spins.c.id, wheel_spins.c.nonce, wheel_spins.c.reward_code)
    won = sa.select(bonus_codes.c.user_id, bonus_codes.c.spin_id, bonus_codes.c.code)
    seeds = sa.select(wheel_seeds.c.user_id, wheel_seeds.c.nonce).where(wheel_seeds.c.activated_at.is_not(None))
    ids = [spin.member.id for spin in spins]
    with owner.connect() as connection:
        rows = connection.execute(spun.where(wheel_spins.c.user_id.in_(ids)).order_by(wheel_spins.c.user_id)).all()
        of_wins = bonus_codes.c.spin_id.in_([row.id for row in rows])
        codes = {(row.user_id, row.spin_id, row.code) for row in connection.execute(won.where(of_wins))}
        nonces = connection.execute(seeds.where(wheel_seeds.c.user_id.in_(ids))).all()
    answered = [(spin.member.id, body["id"], 0, body["reward_code"]) for spin in spins for body in [spin.body]]
    assert [tuple(row) for row in rows] == sorted(answered), "spins differ from what members were told"
    assert codes == {(member, spin, code) for member, spin, _, code in answered if code is not None}
    assert sorted(tuple(row) for row in nonces) == [(member_id, 1) for member_id in sorted(ids)]


def _check_claims(owner: sa.Engine, claims: list[Request], limited: list[Code]) -> int:
    """Each successful claim is there, and no other one; limited codes have as many as they can. Return their number."""
    rows = sa.select(code_claims.c.user_id, code_claims.c.id, code_claims.c.code_id)
    with owner.connect() as connection:
        found = connection.execute(rows.where(code_claims.c.user_id.in_([claim.member.id for claim in claims]))).all()
    answered = {(claim.member.id, claim.body["id"]) for claim in claims if claim.succeeded}
    assert {(row.user_id, row.id) for row in found} == answered, "claims differ from what members were told"
    tried = Counter(claim.code for claim in claims)
    for code in limited:
        made = sum(row.code_id == code.id for row in found)
        assert made == min(MAX_CLAIMS, tried[code.code]), f"a code for {MAX_CLAIMS} members was claimed by {made}"
    return len(answered)


def _check_keys(owner: sa.Engine, url: str, requests: list[Request]) -> None:
    """A request that is sent once more is answered as before, byte for byte; a refusal has left no key."""
    succeeded = [request for request in requests if request.succeeded]
    again = [replace(request, answer={}) for request in succeeded]
    crew, waiting = _start(url), deque(again)
    while _exchange(crew, waiting):
        pass
    for worker in crew:
        worker.process.kill()
    for earlier, later in zip(succeeded, again, strict=True):
        assert later.answer["body"] == earlier.answer["body"], "the answer to a key has changed"
        assert later.answer["headers"]["Idempotency-Replayed"] == "true"
    keys = sa.select(sa.func.count()).where(
        idempotency_records.c.user_id.in_({request.member.id for request in requests})
    )
    with owner.connect() as connection:
        assert connection.scalar(keys) == len(succeeded)


def _differences(owner: sa.Engine) -> list[Undecided]:
    with owner.connect() as connection:
        return list(differences(connection))
