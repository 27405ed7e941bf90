"""The members that nobody can log in to, that no mail reaches, or whose uid the feed does not have."""

from collections.abc import Iterator

from sqlalchemy import Boolean, and_, func, literal_column, null, or_, select

from database.checks.finding import Command
from database.checks.questions import Kind, Question
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions
from migrations import routines

# The bodies of the declared functions, which are not there before the adoption.
_IS_MAILABLE = literal_column(f"coalesce({routines.IS_MAILABLE.strip().removeprefix('SELECT')}, false)", Boolean)
_LACKS_PROOF = literal_column(f"({routines.LACKS_PROOF})", Boolean)
_UNSEEN = r"[\s\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"

_SHELLS = Kind(
    "shells, which no log-in can prove and no mail reaches",
    "they are marked and no members; the uid of a shell goes to the member whose link to it is approved",
    is_note=True,
)
_WITHOUT_PROOF = Kind(
    "members with a password that no log-in can prove", "a reset by mail gives them one", is_note=True
)
_WITHOUT_MAIL = Kind(
    "members with an e-mail address that no mail reaches",
    "they log in, and cannot reset their password; ask them, then write the address that is meant",
)
_WRONG_MARK = Kind(
    "rows whose mark is_shell is wrong",
    "UPDATE users SET email = email WHERE is_shell <> (erased_at IS NULL AND is_shell(password, email)) sets it right",
    command=Command.MARK_SHELLS,
)


def questions(*, keyed: bool) -> Iterator[Question]:
    """Yield the questions about members; `keyed` as in `rows.questions`."""
    yield _of_accounts(keyed=keyed)
    yield Question(
        "newsletter_subscriptions",
        frozenset({"email"}),
        (Kind("e-mail addresses that no mail reaches", "write the address that is meant, or delete the subscription"),),
        select(newsletter_subscriptions.c.id, null()).where(~_IS_MAILABLE),
    )
    yield Question(
        "users",
        frozenset({"uid"}),
        (
            Kind(
                "uids that are empty, or have white space or invisible characters in them",
                "the feed has them without; write the uid as the casino has it",
            ),
        ),
        select(users.c.id, null()).where(or_(users.c.uid == "", users.c.uid.regexp_match(_UNSEEN))),
    )
    oldest = func.min(users.c.id).over(partition_by=func.lower(users.c.uid)).label("oldest")
    uids = select(users.c.id, oldest).where(users.c.uid.is_not(None)).subquery()
    yield Question(
        "users",
        frozenset({"uid"}),
        (
            Kind(
                "uids equal to an older member's, ignoring case",
                "ask the casino which of them it has; take the other away",
            ),
        ),
        select(uids.c.id, uids.c.oldest).where(uids.c.id != uids.c.oldest),
    )


def _of_accounts(*, keyed: bool) -> Question:
    """Return the question about passwords and addresses: one scan, because the patterns take most of its time."""
    is_shell = and_(_LACKS_PROOF, ~_IS_MAILABLE)
    if keyed:  # an erased member has neither, and is no shell
        is_shell = and_(users.c.erased_at.is_(None), is_shell)
    kinds = {
        _SHELLS: is_shell,
        _WITHOUT_PROOF: and_(_LACKS_PROOF, _IS_MAILABLE),
        _WITHOUT_MAIL: and_(~_LACKS_PROOF, ~_IS_MAILABLE),
    }
    found = [_LACKS_PROOF, ~_IS_MAILABLE]
    if keyed:
        kinds[_WRONG_MARK] = users.c.is_shell != is_shell
        found.append(users.c.is_shell)
    needs = frozenset({"password", "email", *(["is_shell"] if keyed else [])})
    return Question("users", needs, (*kinds,), select(users.c.id, null(), *kinds.values()).where(or_(*found)))
