"""Whether the duration of a subscription request reveals the state of an address (`make bench WHAT=newsletter_timing`).

Pairs of requests go through the real handler, the pooler and PostgreSQL: one for an address that is subscribed, or that
waits for its confirmation, and one for an address without a subscription. PAIRS=… takes another number of pairs.
`benchmarks.timing` has the method.
"""

import secrets
import sys
from datetime import UTC, datetime

import sqlalchemy as sa

from benchmarks import timing
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions


def main() -> int:
    """Measure both states, print a line for each, and return the process's status."""
    with timing.database() as database:
        now = datetime.now(UTC)
        states = (
            ("subscribed or unknown", {"is_subscribed": True, "confirmed_at": now}),
            ("pending or unknown", {"is_subscribed": False, "confirmation_sent_at": now}),
        )
        failed = [measure(database, name, columns) for name, columns in states]
    return int(any(failed))


def measure(database: sa.Engine, name: str, columns: dict[str, object]) -> bool:
    """Measure one state; return whether durations distinguish it from an unknown address."""
    subscribed = [new_email() for _ in range(timing.PAIRS + timing.WARM_UP)]
    with database.connect() as connection:
        rows = [{"email": email, "email_key": email, **columns} for email in subscribed]
        connection.execute(sa.insert(subscriptions).values(rows))
        connection.execute(sa.text("VACUUM ANALYZE"))
    return timing.report(
        name, "subscribe", lambda number: [{"email": subscribed[number]}, {"email": new_email()}], "pending"
    )


def new_email() -> str:
    """Return an address that nobody has, always of the same length."""
    return f"{secrets.token_hex(8)}@example.com"


if __name__ == "__main__":
    sys.exit(main())
