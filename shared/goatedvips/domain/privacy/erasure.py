"""Erasure: removes a member's personal data. Their row, ledger and archive entries stay under a pseudonym.

`holdings` declares what is erased in each table.  The member's row is locked first.  Every statement that writes for a
member locks the same row (`access.member`), so it either commits before, and this erasure sees its rows, or runs after
and finds the member erased.
"""

from datetime import datetime

from sqlalchemy import (
    Connection,
    Delete,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, array

from goatedvips.domain import access, erased_identities
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.accounts import credentials
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.privacy import personal_entries
from goatedvips.domain.privacy.holdings import ACCOUNT, HOLDINGS
from goatedvips.domain.privacy.personal_data import ERASED, IS_PROVED, OWN, PSEUDONYM, PersonalData, of_member
from goatedvips.domain.privacy.personal_entries import ENTRIES, ENTRY_MATCHES, IS_LIST, PATTERN, RACE_MATCHES
from goatedvips.errors import LastStaff
from goatedvips.models.accounts import attempts, users
from goatedvips.models.races import historical_races
from goatedvips.models.races import wager_race_participants as participants

_is_staff = and_(users.c.is_admin, users.c.suspended_at.is_(None))
# Locks the member and, if the member is staff, all staff, in the order of ids, as every statement that takes staff
# rights away does. Two staff members who erase themselves at once run one after the other, and the last one is refused.
_lock_member_and_staff = (
    select(users.c.id, _is_staff.label("is_staff"))
    .where(or_(users.c.id == CALLER_ID, and_(_is_staff, of_member(OWN.is_admin))))
    .order_by(users.c.id)
    .with_for_update(of=users)
)
_proved = access.proven_member()
_mark_erased = update(users).where(users.c.id == _proved.c.id).values(erased_at=NOW).returning(users.c.id)
_EXCLUSION = (OWN.excluded_until, OWN.excluded_permanently, cast(null(), Integer))
_insert_erased_identities = erased_identities.remember(
    union_all(
        select(erased_identities.identity("email", OWN.email), *_EXCLUSION).where(
            OWN.id == CALLER_ID, erased_identities.is_remembered_for_email(OWN)
        ),
        select(erased_identities.identity("uid", OWN.uid), *_EXCLUSION).where(
            OWN.id == CALLER_ID,
            OWN.uid.is_not(None),  # remembered without an exclusion too: the feed still has entries for it
        ),
    )
)
_redact_audit_log = select(func.redact_audit_log(CALLER_ID))

_ROW_ID = bindparam("row_id", type_=users.c.id.type)
_NEW_JSON = cast(bindparam("new_json", type_=Text), JSONB)
_lock_races = select(historical_races.c.id).where(RACE_MATCHES).order_by(historical_races.c.id).with_for_update()
# JSON is read as text, because the driver's parser makes floats of numbers; and entry by entry, because most entries
# are other members'.
_select_entries = (
    select(historical_races.c.id, ENTRIES.c.number, cast(ENTRIES.c.value, Text).label("json"))
    .select_from(historical_races.join(ENTRIES, ENTRY_MATCHES))
    .where(RACE_MATCHES)
)
_participants = historical_races.c.participants
_path = array([cast(bindparam("number", type_=Integer) - 1, Text)])
_update_entry = (
    update(historical_races)
    .where(historical_races.c.id == _ROW_ID)
    .values(participants=case((IS_LIST, func.jsonb_set(_participants, _path, _NEW_JSON)), else_=_NEW_JSON))
)
_select_metadata = select(historical_races.c.id, cast(historical_races.c.metadata, Text).label("json")).where(
    cast(historical_races.c.metadata, Text).op("~*")(PATTERN)
)
_update_metadata = update(historical_races).where(historical_races.c.id == _ROW_ID).values(metadata=_NEW_JSON)
_select_histories = select(participants.c.id, cast(participants.c.wager_history, Text).label("json")).where(
    participants.c.user_id == CALLER_ID, participants.c.wager_history.is_not(None)
)
_update_history = update(participants).where(participants.c.id == _ROW_ID).values(wager_history=_NEW_JSON)


def _pseudonymise_archive(connection: Connection, caller: Caller) -> None:
    person = personal_entries.read_person(connection, caller.user_id)
    pseudonym: str = connection.execute(select(PSEUDONYM), {"caller_id": caller.user_id}).scalar_one()
    pattern = {"pattern": person.pattern}
    connection.execute(_lock_races, pattern)
    for row in connection.execute(_select_entries, pattern).all():
        new = personal_entries.pseudonymise(person, row.json, pseudonym)
        connection.execute(_update_entry, {"row_id": row.id, "number": row.number, "new_json": new})
    for row in connection.execute(_select_metadata, pattern).all():
        new = personal_entries.pseudonymise(person, row.json, pseudonym)
        connection.execute(_update_metadata, {"row_id": row.id, "new_json": new})
    for row in connection.execute(_select_histories, {"caller_id": caller.user_id}).all():
        new = personal_entries.pseudonymise(person, row.json, pseudonym, is_own=True)
        connection.execute(_update_history, {"row_id": row.id, "new_json": new})


def _erase_rows(holding: PersonalData) -> list[Delete | Update]:
    """Build the statements that delete and overwrite the member's rows of a table."""
    statements: list[Delete | Update] = []
    if holding.delete is not None:
        statements.append(delete(holding.table).where(holding.delete))
    if holding.overwrite:
        rows = holding.rows if holding.overwrite_where is None else holding.overwrite_where
        statements.append(update(holding.table).where(rows).values(holding.overwrite))
    return statements


# The member's e-mail address as a regular expression. It does not match inside a longer address, which is another
# person's.
_EMAIL_PATTERN = of_member(
    literal(r"(?<![\w.%+-])", Text) + func.regexp_replace(OWN.email, r"(\W)", r"\\\1", "g") + r"(?![\w-]|\.\w)",
    IS_PROVED,
)


def _scrub_email(holding: PersonalData) -> Update:
    """Build the statement that replaces the member's e-mail address in texts that other people wrote, ignoring case.

    Usernames are not replaced: a member named "please" could otherwise remove that word from everybody's texts.
    """
    columns = [holding.table.c[name] for name in holding.scrub_email_in]
    # LIKE is cheap and rules out most rows before the regular expression runs.
    matches = [and_(column.like("%@%"), column.op("~*")(_EMAIL_PATTERN)) for column in columns]
    new = {column.name: func.regexp_replace(column, _EMAIL_PATTERN, ERASED, "gi") for column in columns}
    return update(holding.table).where(or_(*matches)).values(new)


_erase_tables = [statement for holding in HOLDINGS if holding is not ACCOUNT for statement in _erase_rows(holding)]
_scrub_emails = [_scrub_email(holding) for holding in HOLDINGS if holding.scrub_email_in]
(_overwrite_account,) = _erase_rows(ACCOUNT)


def erase(connection: Connection, caller: Caller, attempt: LogInAttempt, *, now: datetime) -> None:
    """Erase the caller. Only keyed hashes stay: of their uid and, with an exclusion, of their e-mail address.

    Parameters
    ----------
    attempt: the attempt in which the password was right.

    Raises
    ------
    LastStaff: the caller is the only staff member.
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = credentials.proof(caller, attempt, now)
    staff = {row.id for row in connection.execute(_lock_member_and_staff, parameters) if row.is_staff}
    if connection.execute(_mark_erased, parameters).one_or_none() is None:
        credentials.refuse(connection, caller, now=now)
    if staff == {caller.user_id}:
        raise LastStaff(leaves=delete(attempts).where(attempts.c.id == attempt.id))
    connection.execute(_insert_erased_identities, parameters)
    _pseudonymise_archive(connection, caller)
    for statement in (_redact_audit_log, *_erase_tables, *_scrub_emails, _overwrite_account):
        connection.execute(statement, parameters)
