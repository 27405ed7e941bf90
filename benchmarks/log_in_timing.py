"""Whether the duration of a refused log-in reveals that the account exists (`make bench WHAT=log_in_timing`).

Pairs of log-ins with a wrong password go through the real handler, the pooler and PostgreSQL: one by the name of an
account, one by a name that nobody has. Both formats that a password is stored in are measured; PAIRS=… takes another
number of pairs. `benchmarks.timing` has the method.
"""

import secrets
import sys
from collections.abc import Callable

import sqlalchemy as sa

from benchmarks import timing

ACCOUNTS = 20
PASSWORD, WRONG = "goats like long walks", "sheep prefer short ones"


def main() -> int:
    """Measure each format, print a line for each, and return the process's status."""
    with timing.database() as database:
        formats = (("argon2id", False), ("scrypt", True))
        failed = [measure(database, stored_as, legacy=legacy) for stored_as, legacy in formats]
    return int(any(failed))


def measure(database: sa.Engine, stored_as: str, *, legacy: bool) -> bool:
    """Measure one password format; return whether durations reveal that an account exists."""
    from goatedvips.domain.accounts import passwords  # noqa: PLC0415 - these read the settings, made above
    from tests.support.members import Members  # noqa: PLC0415

    stored = [passwords.hash_password(PASSWORD, legacy=legacy) for _ in range(ACCOUNTS)]
    accounts = [Members(database).new(password=password).username for password in stored]
    return timing.report(f"account or none, {stored_as}", "log_in", bodies(accounts), "invalid_credentials")


def bodies(accounts: list[str]) -> Callable[[int], list[object]]:
    """Return a function from a number to two log-ins: by a name of these, and by another name that is as long."""

    def pair(number: int) -> list[object]:
        name = accounts[number % len(accounts)]
        logins = (name, f"nobody-{secrets.token_hex(16)}"[: len(name)])
        return [{"login": login, "password": WRONG} for login in logins]

    return pair


if __name__ == "__main__":
    sys.exit(main())
