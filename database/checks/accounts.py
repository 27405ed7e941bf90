"""The members that nobody can log in to, that no mail reaches, or whose uid the feed does not have."""

from collections.abc import Iterator

from sqlalchemy import Boolean, and_, func, literal_column, null, or_, select

from database.checks.questions import Question
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions
from migrations import routines

# The bodies of the declared functions, which are not there before the adoption.
_IS_MAILABLE = f"({routines.IS_MAILABLE})"
_IS_SHELL = f"({routines.IS_SHELL.replace('is_mailable(email)', _IS_MAILABLE)})"
_UNSEEN = r"[\s\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"


def questions(*, keyed: bool) -> Iterator[Question]:
    """Yield the questions about members; `keyed` as in `rows.questions`."""
    account = frozenset({"password", "email"})
    is_mailable, is_shell = (literal_column(f"coalesce({body}, false)", Boolean) for body in (_IS_MAILABLE, _IS_SHELL))
    has_password = ~literal_column(routines.LACKS_PROOF, Boolean)
    yield Question(
        "users",
        account,
        "shells, which no log-in can prove and no mail reaches",
        "they are marked and no members; the uid of a shell goes to the member whose link to it is approved",
        select(users.c.id, null()).where(is_shell),
        is_note=True,
    )
    yield Question(
        "users",
        account,
        "members with a password that no log-in can prove",
        "a reset by mail gives them one",
        select(users.c.id, null()).where(~has_password, is_mailable),
        is_note=True,
    )
    yield Question(
        "users",
        account,
        "members with an e-mail address that no mail reaches",
        "they log in, and cannot reset their password; ask them, then write the address that is meant",
        select(users.c.id, null()).where(has_password, ~is_mailable),
    )
    yield Question(
        "newsletter_subscriptions",
        frozenset({"email"}),
        "e-mail addresses that no mail reaches",
        "write the address that is meant, or delete the subscription",
        select(newsletter_subscriptions.c.id, null()).where(~is_mailable),
    )
    yield Question(
        "users",
        frozenset({"uid"}),
        "uids that are empty, or have white space or invisible characters in them",
        "the feed has them without; write the uid as the casino has it",
        select(users.c.id, null()).where(or_(users.c.uid == "", users.c.uid.regexp_match(_UNSEEN))),
    )
    other = users.alias("other")
    same = func.lower(users.c.uid) == func.lower(other.c.uid)
    yield Question(
        "users",
        frozenset({"uid"}),
        "uids equal to an older member's, ignoring case",
        "ask the casino which of them it has; take the other away",
        select(users.c.id, func.min(other.c.id)).where(same, other.c.id < users.c.id).group_by(users.c.id),
    )
    if keyed:
        yield Question(
            "users",
            frozenset({"is_shell"}),
            "rows whose mark is_shell is wrong",
            "UPDATE users SET email = email WHERE is_shell <> (erased_at IS NULL AND is_shell(password, email))"
            " sets it right",
            select(users.c.id, null()).where(
                users.c.is_shell != and_(users.c.erased_at.is_(None), func.is_shell(users.c.password, users.c.email))
            ),
        )
