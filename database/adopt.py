"""`make db-adopt`: take over a database of the legacy application.

It looks the database over, says what will happen, asks, does it, and looks again. Where the database is not what the
guide describes, each difference is named and nothing is changed. Cut off, it goes on where it stopped when run again.
"""

import os
import sys
from collections.abc import Iterator

from sqlalchemy import make_url

from database.check import Report, State, lines, looked_at, read_to_the_end
from database.checks.finding import Finding
from database.checks.schema import guide, steps
from database.checks.settings import UTC
from database.connection import UnreachableError
from database.target import chosen, confirm
from database.upgrade import INTERRUPTED, log_steps, upgrade

POOLED = Finding("a pooler is in between, and the adoption locks for its session", "give the server's own address")
LOCKS = {
    "guide_tables": "They are there: they are looked over, and nothing is changed or locked.",
    "platform_tables": "Each table is locked for a moment; ended races and used codes are written, 1,000 at a time.",
    "keys_for_adopted_rows": "Indexes are built while others write; each table is locked for a moment.",
    "oldest_rows_hold_the_keys": "Each table is locked for a moment; its rows are written once, 1,000 at a time.",
    "accounts_and_access": "users is locked for a moment; indexes are built while others write.",
    "deletes_of_the_old_application": "Four tables are locked for a moment; foreign keys are checked later.",
    "invisible_characters_in_codes": "An index is rebuilt while others write; codes with such characters are written.",
    "turns_of_the_outbox": "The platform's outbox and the newsletter are locked for a moment.",
    "shells": "users is locked for a moment; rows that nobody can log in to are marked, 1,000 at a time.",
    "pending_subscriptions": "An index is built while others write.",
    "given_up_identities": "users is locked for a moment.",
    "figures": "A table is made; no other is locked.",
    "payouts": "The platform's ledger is locked for a moment; an index of bonus_codes is built while others write.",
    "client_seeds_and_versions": "Indexes are built while others write; the platform's own tables get two columns.",
    "code_batches": "users and bonus_codes are locked for a moment; an index is built while others write.",
    "lists_by_index": "Three tables are locked for a moment; participants are written, 1,000 at a time.",
    "feed_and_settlement": "Four tables are locked for a moment; participants of live races are written.",
    "settled_races": "wager_race_participants is locked for a moment; an index is built while others write.",
    "ticket_clocks": "users and two tables are locked for a moment; tickets are written once, 1,000 at a time.",
    "end_of_the_feed_token": "feeds, a table of the platform, is locked for a moment.",
    "unsubscribe_and_bounces": "The platform's outbox is locked for a moment; an index of its tokens is built.",
    "preferences_and_inbox": "users and notification_preferences are locked for a moment.",
    "tiers_of_members": "users is locked for a moment; members get their tiers, 1,000 at a time.",
    "statements": "users is locked for a moment; the platform's own accounts are written, 1,000 at a time.",
    "campaigns": "users and the platform's outbox are locked for a moment; indexes of the outbox are built.",
    "mail_by_message": "An index of the platform's outbox is built while others write.",
    "accepted_and_settled": "wager_race_participants is locked for a moment.",
    "push_turns": "An index of the platform's outbox is built while others write.",
    "exclusions_end_later": "users is locked for a moment.",
    "ends_of_exclusions": "An index of users is built while others write.",
    "boards_in_blocks": "wager_race_participants is locked for a moment; rows with a rank are written in batches.",
    "unread_members": "users is locked for a moment.",
}
"""How each step affects concurrent work on the tables."""


def adopt(url: str) -> str:
    """Adopt the database with this URL after a confirmation; return the last line to print.

    Raises
    ------
    SystemExit: it is not adopted; the text says why.
    UnreachableError: it could not be looked at; the text says why.
    """
    shown = make_url(url).render_as_string(hide_password=True)
    report, pooled = looked_at(url)
    if report.state is State.EMPTY:
        sys.exit(f"There is nothing to adopt in {shown}, {report.state.value}: `make db-upgrade` makes the tables.")
    if report.state is State.NEWEST:
        return f"{shown} is adopted already: nothing to do. `make db-check` says how it is."
    report.obstacles += [POOLED] if pooled else []
    print(shown, *lines(report), sep="\n")
    if report.state is State.UNKNOWN or any(not finding.is_harmless for finding in report.obstacles):
        sys.exit("Nothing was changed: see to the lines above first, then run it again.")
    print(*plan(report), sep="\n")
    confirm_time_zone(report.login.zone)
    confirm(f"This adopts {shown}")
    upgrade(url)
    print("", *lines(looked_at(url)[0]), sep="\n")
    return f"Adopted: {shown}. Go on with docs/adopting.md."


def confirm_time_zone(zone: str) -> None:
    """Require a confirmation if the time zone is not UTC: afterwards nobody can find out which rows were not shifted.

    Raises
    ------
    SystemExit: it was not confirmed.
    """
    if zone in UTC:
        return
    says = (
        f"\nThe time zone is {zone}. Times that now() has stored will be read as UTC: shift them first, as "
        "docs/adopting.md shows, which also sets the time zone. If they are UTC all the same, or may be misread"
    )
    if not (confirmed := os.environ.get("TIME_ZONE")) and sys.stdin.isatty():
        confirmed = input(f"{says}, type {zone} to go on: ").strip()
    if confirmed != zone:
        sys.exit(f"{says}, say so by TIME_ZONE={zone}. Nothing was changed.")


def plan(report: Report) -> Iterator[str]:
    """Yield the lines that describe the steps of the adoption, and the sizes of the tables."""
    yield "\nThe tables, with rows as PostgreSQL estimates them:"
    for table in report.tables:
        if table.name in guide().tables:
            yield f"  {table.name}: {'unknown' if table.rows is None else f'{table.rows:,}'} rows, {table.size}"
    yield "\nThe steps. No row is removed and none of the guide's columns is written:"
    newest = steps().iterate_revisions("head", report.revision or "base")
    for step in reversed([*newest]):
        yield f"  {step.revision}: {step.doc} {LOCKS[step.revision]}"


def main() -> None:
    """Adopt the database that DATABASE_URL names."""
    log_steps()
    try:
        with chosen() as url, read_to_the_end():
            print(adopt(url))
    except UnreachableError as error:
        sys.exit(f"The database could not be looked at: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
