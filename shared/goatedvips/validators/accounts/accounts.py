"""Requests and answers of accounts and sessions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from goatedvips.validators.fields import AS_TYPED, CLEAN, AnswerBody, Email, Money, RequestBody

type NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=128), CLEAN]
"""A password to be set."""

_MailedToken = Annotated[str, StringConstraints(max_length=200), CLEAN]

_Entered = Annotated[str, StringConstraints(min_length=1, max_length=1000), AS_TYPED]


class RegisterRequest(RequestBody):
    """Who wants to become a member."""

    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,32}$")]
    """Unique, ignoring case."""
    email: Email
    """Unique, ignoring case; a link to verify it is mailed there."""
    password: NewPassword
    """Not a common one, nor the username or the e-mail address."""


class RegisteredAccount(AnswerBody):
    """A new member; a mail to verify the address is under way."""

    id: int
    """The member's id, as `user_id` elsewhere."""
    username: str
    """As it was asked for."""
    email_verified: bool
    """False until the mailed link is followed."""


class LogInRequest(RequestBody):
    """Who says that they are a member."""

    login: _Entered
    """A username or an e-mail address."""
    password: _Entered
    """As it was set: case matters."""


class SessionUser(AnswerBody):
    """Whose session it is."""

    id: int
    """The member's id, as `user_id` elsewhere."""
    username: str
    """What others see, unless the name is hidden."""
    email: str
    """Seen by its owner alone."""
    email_verified: bool
    """The e-mail address is proved."""
    is_staff: bool
    """May call `/v1/admin`."""


class NewSession(AnswerBody):
    """A session; its token is shown this once."""

    token: str
    """For `Authorization: Bearer`."""
    expires_at: datetime
    """Moves on while the session is used."""
    user: SessionUser
    """Who has logged in."""


class RequestedMail(AnswerBody):
    """The same whether a mail goes out or not: who has an account is nobody else's business."""

    status: Literal["requested"] = "requested"
    """A link is mailed where there is one to send; at most 3 an hour to one address."""


class VerifyEmailRequest(RequestBody):
    """What a link in a mail carried."""

    token: _MailedToken
    """What stands behind `#token=` in the mailed link."""


class VerifiedEmail(AnswerBody):
    """The address is proved."""

    email_verified: bool
    """Always true."""


class PasswordResetRequest(RequestBody):
    """Who has forgotten their password, they say."""

    email: Email
    """The address of the account."""


class ResetPasswordRequest(RequestBody):
    """A new password, by a mailed link."""

    token: _MailedToken
    """What stands behind `#token=` in the mailed link."""
    password: NewPassword
    """Not a common one, nor the username or the e-mail address."""


class ChangePasswordRequest(RequestBody):
    """A new password, by the present one."""

    current_password: _Entered
    """As it was set: case matters."""
    new_password: NewPassword
    """Not a common one, nor the username or the e-mail address."""


class ChangeEmailRequest(RequestBody):
    """Another address for an account."""

    email: Email
    """Unique, ignoring case; the account has it once the link is used that is mailed there."""
    current_password: _Entered
    """As it was set: case matters."""


class ErasureRequest(RequestBody):
    """Who wants nothing of them to be kept."""

    password: _Entered
    """The present one: case matters."""


class Me(AnswerBody):
    """What members see of themselves."""

    id: int
    """The member's id, as `user_id` elsewhere."""
    username: str
    """What others see, unless `hide_name`."""
    email: str
    """Seen by its owner alone."""
    email_verified: bool
    """The e-mail address is proved; not to be confused with `verified`."""
    is_staff: bool
    """May call `/v1/admin`."""
    bio: str | None
    """What they say of themselves."""
    profile_color: str | None
    """A CSS colour, such as `#D7FF00`."""
    verified: bool
    """The casino account is linked; says nothing of the e-mail address."""
    uid: str | None
    """The member's id at the casino; null: not linked."""
    hide_name: bool
    """Leaderboards show them without name and id."""
    total_wager: Money
    """Wagered at the casino since ever."""
    wager_today: Money
    """Wagered at the casino today."""
    wager_week: Money
    """Wagered at the casino this week."""
    wager_month: Money
    """Wagered at the casino this month."""
    excluded_until: datetime | None
    """Self-excluded from play, at least until then; null: not, or permanently."""
    excluded_permanently: bool
    """Self-excluded from play for good."""
    created_at: datetime
    """Since when they are a member."""
    last_active: datetime | None
    """To within a few minutes."""
