"""The legacy application: its packages from npm, its `db:push`, and its queries, run by Node beside our functions."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from database.check import Report, looked_at
from database.upgrade import upgrade
from migrations.upgrade import engine
from tests.support import node, stack

HERE = Path(__file__).parent
PASSWORD = "four dancing g\u00f6ats"
REGISTER = """
db.insert(users).values(insertUserSchema.parse({
    username: name, email: `${name}@example.com`, password: ((salt) =>
        crypto.scryptSync(password, salt, 64).toString("hex") + "." + salt)(crypto.randomBytes(16).toString("hex")),
})).returning()
"""


def install(folder: Path) -> Path:
    """Install drizzle-kit, drizzle-orm and node-postgres beside the guide's schema; skip where that cannot be."""
    node.install(HERE, folder, ["guide.ts", "application.mjs"])
    shutil.copy(HERE / "guide.ts", folder / "guide.mjs")  # it has no types: Node takes it as it is
    return folder


def push(packages: Path, url: str) -> None:
    """Make the guide's tables as its `npm run db:push` does."""
    _run_kit(packages, "push", "--dialect=postgresql", "--schema=./guide.ts", f"--url={url}")


def pull(packages: Path, folder: Path, url: str, tables: Sequence[str] = ()) -> Path:
    """Let `drizzle-kit pull` write its schema file for a database, with a configuration as docs/adopting.md shows it.

    Parameters
    ----------
    folder: where it writes.
    tables: the tables that it reads; all when empty.
    """
    config = {"dialect": "postgresql", "out": os.path.relpath(folder, packages), "dbCredentials": {"url": url}}
    filters = {"tablesFilter": [*tables]} if tables else {}
    (packages / "pull.json").write_text(json.dumps(config | filters))
    _run_kit(packages, "pull", "--config=pull.json")
    return folder / "schema.ts"


def _run_kit(packages: Path, subcommand: str, *options: str) -> None:
    kit = packages / "node_modules" / ".bin" / "drizzle-kit"
    command = [str(kit), subcommand, *options]
    done = subprocess.run(
        command, cwd=packages, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


class LegacyApplication:
    """Evaluates JavaScript as the guide writes it, with `db`, the schema, drizzle-orm's operators and Node's crypto.

    Parameters
    ----------
    packages: what `install` returned.
    url: of the database.
    schema: the schema file, in the folder of the packages.
    """

    def __init__(self, packages: Path, url: str, schema: str = "guide.mjs") -> None:
        self._process = subprocess.Popen(
            ["node", "application.mjs"],
            cwd=packages,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": url, "SCHEMA": f"./{schema}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def run(self, script: str, **given: object) -> Any:
        """The value of an expression, awaited, as JSON; what is given goes by its name in the expression.

        Raises
        ------
        RuntimeError: the script threw, or the database refused.
        """
        self.begin(script, **given)
        return self.end()

    def begin(self, script: str, **given: object) -> None:
        """Send an expression, and don't wait for its value."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"script": script.strip(), "given": given}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        """Wait for the value of what was begun."""
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("result")

    def register(self, name: str = "") -> dict[str, Any]:
        """The row of somebody who registers with PASSWORD, as Node's crypto hashes it."""
        (row,) = self.run(REGISTER, name=name or f"Veteran-{secrets.token_hex(6)}", password=PASSWORD)
        return dict(row)


type Checksum = tuple[int, str]


@dataclass(frozen=True)
class Adopted:
    """A database that was taken over while its application was up.

    Parameters
    ----------
    columns: the guide's, by table.
    before, after: what `make db-check` found, and what the guide's columns held.
    """

    database: sa.Engine
    old: LegacyApplication
    columns: dict[str, list[str]]
    before: tuple[Report, dict[str, Checksum]]
    after: tuple[Report, dict[str, Checksum]]


@contextmanager
def adopted(packages: Path, servers: stack.Stack, rows: str) -> Iterator[Adopted]:
    """Push a database, fill it, start the application on it, and upgrade it."""
    name = f"adopted_{secrets.token_hex(4)}"
    url = servers.direct(name)
    with ExitStack() as resources:
        server = resources.enter_context(engine(servers.direct("postgres")).connect())
        server = server.execution_options(isolation_level="AUTOCOMMIT")
        server.execute(sa.text(f"CREATE DATABASE {name}"))
        resources.callback(server.execute, sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        push(packages, url)
        database = engine(url)
        with database.begin() as connection:
            connection.exec_driver_sql(rows)
        old = resources.enter_context(LegacyApplication(packages, url))
        old.register("veteran")
        columns = old.run(
            "Object.fromEntries(tables.map((table) =>"
            " [getTableName(table), Object.values(getTableColumns(table)).map((column) => column.name)]))"
        )
        before = looked_at(url)[0], checksums(database, columns)
        upgrade(url)
        yield Adopted(database, old, columns, before, (looked_at(url)[0], checksums(database, columns)))


def checksums(database: sa.Engine, columns: dict[str, list[str]]) -> dict[str, Checksum]:
    """Count and hash what these columns of each table hold."""
    return {table: checksum(database, table, names) for table, names in columns.items()}


def checksum(database: sa.Engine, table: str, columns: list[str], condition: str = "true") -> Checksum:
    """Count and hash what these columns hold in the rows that meet the condition."""
    listed = ", ".join(database.dialect.identifier_preparer.quote(name) for name in columns)
    hashed = sa.text(
        "SELECT count(*), md5(string_agg(part::text, ';' ORDER BY id))"
        f" FROM (SELECT {listed} FROM {table} WHERE {condition}) AS part"
    )
    with database.connect() as connection:
        count, digest = connection.execute(hashed).one()
    return count, digest
