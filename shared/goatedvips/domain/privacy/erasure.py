"""Erasure: the member's row, ledger and archive stay under a pseudonym, and nothing else of them does.

What each table loses is declared in `personal_data`.  The member's row is locked first, against everything that writes
for them (`access.member`): what came before is seen here, and what comes after finds them erased.
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
from goatedvips.domain.privacy.holding import ERASED, IS_PROVED, OWN, PSEUDONYM, Holding, of_member
from goatedvips.domain.privacy.holdings import ACCOUNT, HOLDINGS
from goatedvips.domain.privacy.personal_entries import EACH, HAS_THE_MARK, IS_LIST, IS_MARKED, MARK
from goatedvips.errors import LastStaff
from goatedvips.models.accounts import attempts, users
from goatedvips.models.races import historical_races
from goatedvips.models.races import wager_race_participants as participants

_is_staff = and_(users.c.is_admin, users.c.suspended_at.is_(None))
# In the order of their ids, as everything does that takes rights away: of two of the staff at once one waits for the
# other, and sees what is left. Who is no staff locks nobody but themselves.
_lock = (
    select(users.c.id, _is_staff.label("is_staff"))
    .where(or_(users.c.id == CALLER_ID, and_(_is_staff, of_member(OWN.is_admin))))
    .order_by(users.c.id)
    .with_for_update(of=users)
)
_proved = access.proved()
_mark = update(users).where(users.c.id == _proved.c.id).values(erased_at=NOW).returning(users.c.id)


_remember = erased_identities.remembering(
    union_all(
        select(erased_identities.identity("email", OWN.email), OWN.excluded_until, OWN.excluded_permanently).where(
            OWN.id == CALLER_ID, erased_identities.is_kept_for_address(OWN)
        ),
        select(erased_identities.identity("uid", OWN.uid), OWN.excluded_until, OWN.excluded_permanently).where(
            OWN.id == CALLER_ID,
            OWN.uid.is_not(None),  # the feed goes on telling of it
        ),
    )
)
_redact_audit_log = select(func.redact_audit_log(CALLER_ID))

_ROW_ID = bindparam("row_id", type_=users.c.id.type)
_LEFT = cast(bindparam("left_json", type_=Text), JSONB)
_archive = select(historical_races.c.id).where(HAS_THE_MARK).order_by(historical_races.c.id).with_for_update()
# As text, because numbers would not stay exact; and entry by entry, because most are others'.
_entries = (
    select(historical_races.c.id, EACH.c.number, cast(EACH.c.value, Text))
    .select_from(historical_races.join(EACH, IS_MARKED))
    .where(HAS_THE_MARK)
)
_participants = historical_races.c.participants
_at = array([cast(bindparam("number", type_=Integer) - 1, Text)])
_leave_entry = (
    update(historical_races)
    .where(historical_races.c.id == _ROW_ID)
    .values(participants=case((IS_LIST, func.jsonb_set(_participants, _at, _LEFT)), else_=_LEFT))
)
_metadata = select(historical_races.c.id, cast(historical_races.c.metadata, Text)).where(
    cast(historical_races.c.metadata, Text).op("~*")(MARK)
)
_leave_metadata = update(historical_races).where(historical_races.c.id == _ROW_ID).values(metadata=_LEFT)
_histories = select(participants.c.id, cast(participants.c.wager_history, Text)).where(
    participants.c.user_id == CALLER_ID, participants.c.wager_history.is_not(None)
)
_leave_history = update(participants).where(participants.c.id == _ROW_ID).values(wager_history=_LEFT)


def _pseudonymise_archive(connection: Connection, caller: Caller) -> None:
    person = personal_entries.person(connection, caller.user_id)
    pseudonym: str = connection.execute(select(PSEUDONYM), {"caller_id": caller.user_id}).scalar_one()
    marked = {"mark": person.mark}
    connection.execute(_archive, marked)
    for row_id, number, text in connection.execute(_entries, marked).all():
        left = personal_entries.pseudonymised(person, text, pseudonym)
        connection.execute(_leave_entry, {"row_id": row_id, "number": number, "left_json": left})
    for row_id, text in connection.execute(_metadata, marked).all():
        left = personal_entries.pseudonymised(person, text, pseudonym)
        connection.execute(_leave_metadata, {"row_id": row_id, "left_json": left})
    for row_id, text in connection.execute(_histories, {"caller_id": caller.user_id}).all():
        left = personal_entries.pseudonymised(person, text, pseudonym, theirs=True)
        connection.execute(_leave_history, {"row_id": row_id, "left_json": left})


def _erasing(holding: Holding) -> list[Delete | Update]:
    """What becomes of the rows of a table that are the member's."""
    statements: list[Delete | Update] = []
    if holding.removed is not None:
        statements.append(delete(holding.table).where(holding.removed))
    if holding.left:
        rows = holding.theirs if holding.left_where is None else holding.left_where
        statements.append(update(holding.table).where(rows).values(holding.left))
    return statements


# As a regular expression; not where it is a part of a longer one, which is somebody else's.
_address = of_member(
    literal(r"(?<![\w.%+-])", Text) + func.regexp_replace(OWN.email, r"(\W)", r"\\\1", "g") + r"(?![\w-]|\.\w)",
    IS_PROVED,
)


def _taking_out_the_address(holding: Holding) -> Update:
    """Take the member's address out of what others wrote, where it stands for itself, ignoring case.

    Of names nothing is taken out: who is called "please" must not be able to blank that word in everybody's texts.
    """
    columns = [holding.table.c[name] for name in holding.mentions]
    found = [and_(column.like("%@%"), column.op("~*")(_address)) for column in columns]  # the first costs little
    left = {column.name: func.regexp_replace(column, _address, ERASED, "gi") for column in columns}
    return update(holding.table).where(or_(*found)).values(left)


_erasures = [statement for holding in HOLDINGS if holding is not ACCOUNT for statement in _erasing(holding)]
_mentions = [_taking_out_the_address(holding) for holding in HOLDINGS if holding.mentions]
(_leave_account,) = _erasing(ACCOUNT)


def erase(connection: Connection, caller: Caller, attempt: LogInAttempt, *, now: datetime) -> None:
    """Erase the caller: an exclusion of theirs and their uid are remembered by keyed hashes alone.

    Parameters
    ----------
    attempt: the proof of their password.

    Raises
    ------
    LastStaff: nobody else is staff.
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = credentials.proof(caller, attempt, now)
    staff = {row.id for row in connection.execute(_lock, parameters) if row.is_staff}
    if connection.execute(_mark, parameters).one_or_none() is None:
        credentials.refuse(connection, caller, now=now)
    if staff == {caller.user_id}:
        raise LastStaff(leaves=delete(attempts).where(attempts.c.id == attempt.id))
    connection.execute(_remember, parameters)
    _pseudonymise_archive(connection, caller)
    for statement in (_redact_audit_log, *_erasures, *_mentions, _leave_account):
        connection.execute(statement, parameters)
