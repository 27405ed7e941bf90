"""Requests and answers of accounts and sessions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, Email, Money, RequestBody

type NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=128), CLEAN]
"""A password to be set. Rules that need more than its text are the domain's."""

_Entered = Annotated[str, StringConstraints(min_length=1, max_length=1000), CLEAN]


class RegisterRequest(RequestBody):
    """Who wants to become a member."""

    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,32}$")]
    email: Email
    password: NewPassword


class RegisteredAccount(AnswerBody):
    """A new member; a mail to verify the address is under way."""

    id: int
    username: str
    email_verified: bool


class LogInRequest(RequestBody):
    """Who says that they are a member."""

    login: _Entered
    """A username or an e-mail address."""
    password: _Entered


class SessionUser(AnswerBody):
    """Whose session it is."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool


class NewSession(AnswerBody):
    """A session; its token is shown this once."""

    token: str
    expires_at: datetime
    user: SessionUser


class VerifyEmailRequest(RequestBody):
    """What a link in a mail carried."""

    token: Annotated[str, StringConstraints(max_length=200), CLEAN]


class VerifiedEmail(AnswerBody):
    """The address is proved."""

    email_verified: bool


class Me(AnswerBody):
    """What members see of themselves."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool
    bio: str | None
    profile_color: str | None
    verified: bool
    """The casino account is linked."""
    uid: str | None
    """The member's id at the casino."""
    hide_name: bool
    total_wager: Money
    wager_today: Money
    wager_week: Money
    wager_month: Money
    excluded_until: datetime | None
    excluded_permanently: bool
    created_at: datetime
    last_active: datetime | None
