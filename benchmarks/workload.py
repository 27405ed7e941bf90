"""Databases with members for the builds that are compared, and the events that benchmarks send."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import make_url, text

from benchmarks.builds import ROOT, Build
from database.embedded import Server
from local import template
from local.pool import BASE_VARIABLES
from migrations.upgrade import engine

# Members with a live session, codes that all may claim and a race that all may join. The last activity and the end of
# the session are ahead of the clock: however long a benchmark takes, the authorizer has neither to write.
MEMBERS = """
INSERT INTO users (username, username_key, email, email_key, email_verified, password, last_active, is_active)
    SELECT 'member-' || n, 'member-' || n, 'member-' || n || '@example.com', 'member-' || n || '@example.com', true,
        'unusable', now() + interval '1 day', true
    FROM generate_series(1, :members) n;
INSERT INTO sessions (user_id, token_hash, created_at, expires_at)
    SELECT id, sha256(convert_to('gvp_' || lpad(substr(username, 8), 43, '0'), 'UTF8')), now(),
        now() + interval '31 days'
    FROM users ORDER BY id;
INSERT INTO wheel_seeds (user_id, server_seed, client_seed, created_at, activated_at)
    SELECT id, sha256(convert_to(id || random()::text, 'UTF8')), id, now(), activated_at
    FROM users CROSS JOIN (VALUES (now()::timestamp), (null)) AS seeds (activated_at) ORDER BY id;
INSERT INTO bonus_codes (code, code_key, expires_at, value, max_claims)
    SELECT 'CODE-' || n, code_key('CODE-' || n), '2999-01-01', 5, null FROM generate_series(1, :codes) n;
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution)
    VALUES ('Race', 'weekly', 'live', 500, now(), '2999-01-01', 0, '{"1": 60}');
ANALYZE;
"""
CODES = 100
FIRST_IDS = text(
    "SELECT (SELECT min(id) FROM users), (SELECT min(id) FROM sessions), (SELECT min(id) FROM wager_races)"
)
SERVER_PROCESSES = text("SELECT pid FROM pg_stat_activity WHERE usename = 'api'")


@dataclass(frozen=True)
class Workload:
    """A database with members, numbered from 0, and events that they send.

    Parameters
    ----------
    url, owner_url: the database, for functions and for its owner.
    members: how many there are.
    """

    url: str
    owner_url: str
    members: int
    first_user: int
    first_session: int
    race: int
    numbers: "count[int]" = field(default_factory=count)

    def next_event(self, function: str) -> dict[str, Any]:
        """Return the function's sample event as the next member sends it."""
        return self.event(function, next(self.numbers))

    def next_bearer(self) -> str:
        """Return the Authorization header of the next member."""
        return self._bearer(next(self.numbers) % self.members)

    def _bearer(self, member: int) -> str:
        return f"Bearer gvp_{member + 1:043}"

    def event(self, function: str, number: int) -> dict[str, Any]:
        """Return the function's sample event as a member sends it; the number of the event selects the member."""
        made: dict[str, Any] = json.loads(_sample(function))
        member = number % self.members
        context = made["requestContext"]
        if "identitySource" in made:
            made["identitySource"] = [self._bearer(member)]
        if "authorizer" in context:
            caller = {"user_id": self.first_user + member, "session_id": self.first_session + member, "is_staff": False}
            context["authorizer"] = {"lambda": caller}
        if "/races/" in made["rawPath"]:
            made["rawPath"] = context["http"]["path"] = made["rawPath"].replace("/races/1", f"/races/{self.race}")
        if function == "claim_code":
            made["body"] = json.dumps({"code": f"code {number % CODES + 1}"})
        return made

    def variables(self, build: Build, function: str) -> dict[str, str]:
        """Return the environment variables that the build's template gives a function."""
        values = template.build_parameters(self.url, "http://127.0.0.1:3000", {})
        loaded = template.load(values, "http://127.0.0.1:3000", build.checkout / "template.yaml")
        return BASE_VARIABLES | loaded.function(function).variables | {"PATH": os.environ.get("PATH", os.defpath)}


@contextmanager
def server_processes(workload: Workload) -> Iterator[Callable[[], set[int]]]:
    """Yield a function that returns the processes of PostgreSQL whose connections were opened within the block."""
    with engine(workload.owner_url).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        before = set(autocommit.scalars(SERVER_PROCESSES))
        yield lambda: set(autocommit.scalars(SERVER_PROCESSES)) - before


@cache
def _sample(function: str) -> str:
    return (ROOT / "events" / f"{function}.json").read_text()


def prepare(postgres: Server, build: Build, members: int, name: str) -> Workload:
    """Create a database with the build's own migrations, and fill it.

    Parameters
    ----------
    members: how many members there will be.
    name: the database's.
    """
    with engine(postgres.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name}"))
        autocommit.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    url = postgres.url(name)
    path = f"{build.checkout}{os.pathsep}{build.checkout / 'shared'}"
    upgrade = subprocess.run(
        [sys.executable, "-m", "migrations.upgrade"],
        cwd=build.checkout,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if upgrade.returncode != 0:
        raise SystemExit(f"The database of {build.name} could not be made: {upgrade.stderr}")
    with engine(url).begin() as connection:
        connection.exec_driver_sql(MEMBERS.replace(":members", str(members)).replace(":codes", str(CODES)))
        first_user, first_session, race = connection.execute(FIRST_IDS).one()
    functions_url = make_url(url).set(username="api").render_as_string()
    return Workload(functions_url, url, members, first_user, first_session, race)
