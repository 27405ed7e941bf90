"""Requests and answers for accounts and sessions."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from goatedvips.validators.fields import AS_TYPED, CLEAN, AnswerBody, Email, RequestBody, ascii_domain, matching

type NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=128), CLEAN]
"""A new password: 12 to 128 characters, counted in NFC."""

_MailedToken = Annotated[str, StringConstraints(max_length=200), CLEAN]

_TypedText = Annotated[str, StringConstraints(min_length=1, max_length=1000), AS_TYPED]


_USERNAME = r"^[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*$"
# Names that members would take for staff or for the platform itself, in lower case and without `_`, `.` and `-`.
_RESERVED = frozenset(
    {
        "admin",
        "administrator",
        "anonymous",
        "api",
        "billing",
        "contact",
        "deleted",
        "erased",
        "goatedvips",
        "help",
        "helpdesk",
        "info",
        "me",
        "mod",
        "moderator",
        "null",
        "official",
        "owner",
        "postmaster",
        "root",
        "security",
        "staff",
        "superuser",
        "support",
        "sysadmin",
        "system",
        "team",
        "undefined",
        "webmaster",
    }
)


def _unreserved(username: str) -> str:
    if re.sub("[_.-]", "", username).lower() in _RESERVED:
        raise ValueError("is reserved")
    return username


class RegisterRequest(RequestBody):
    """A new account."""

    username: Annotated[
        str,
        Field(min_length=3, max_length=32, json_schema_extra={"pattern": _USERNAME}),
        matching(_USERNAME, "must be of A-Z, a-z, 0-9, _, . and -, with at least one letter or digit"),
        AfterValidator(_unreserved),
    ]
    """The name that others see. Unique, ignoring case. Names that suggest a role, such as `support`, are reserved."""
    email: Email
    """The e-mail address of the account. Unique, ignoring case. A link to verify it is mailed to it."""
    password: NewPassword
    """The new password. It must not be a common password, the username or the e-mail address."""


class RegisteredAccount(AnswerBody):
    """A registered account. A mail with a link to verify the e-mail address is on its way."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str
    """The username as it was sent in the request."""
    email_verified: bool
    """Whether the e-mail address is verified. It is false until the mailed link is used."""


class LogInRequest(RequestBody):
    """Credentials of a member."""

    login: _TypedText
    """A username or an e-mail address. It is matched exactly, ignoring case, then without white space around it."""
    password: _TypedText
    """The current password. Case matters."""

    @property
    def bare_login(self) -> str:
        """The login without white space around it.

        A login of white space only is returned unchanged: an adopted username may be empty.
        """
        return self.login.strip() or self.login

    @property
    def ascii_login(self) -> str:
        """The bare login; the domain of an e-mail address as new accounts have it, in ASCII."""
        local_part, at, domain = self.bare_login.rpartition("@")
        return f"{local_part}@{ascii_domain(domain) or domain}" if at else self.bare_login


class SessionUser(AnswerBody):
    """The member that the session belongs to."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str
    """The name that others see, unless the member hides it."""
    email: str
    """The member's e-mail address. Other members never see it."""
    email_verified: bool
    """Whether the e-mail address is verified."""
    is_staff: bool
    """Whether the member is staff and may call routes under `/v1/admin`."""


class NewSession(AnswerBody):
    """A new session. Only this answer has its token."""

    token: str
    """The session token, to be sent as `Authorization: Bearer <token>`."""
    expires_at: datetime
    """When the session ends. Using the session moves this instant forward, to 30 days after its last use."""
    user: SessionUser
    """The member who logged in."""


class RequestedMail(AnswerBody):
    """The answer to a request for mail. It is the same whether or not a mail is sent, so it reveals no account."""

    status: Literal["requested"] = "requested"
    """The request was accepted. At most 3 links an hour are mailed to one address."""


class VerifyEmailRequest(RequestBody):
    """The token from a mailed link."""

    token: _MailedToken
    """The token: the part of the mailed link after `#token=`."""


class VerifiedEmail(AnswerBody):
    """A verified e-mail address."""

    email_verified: bool
    """Always true: the e-mail address is verified."""


class PasswordResetRequest(RequestBody):
    """A request for a link to set a new password."""

    email: Email
    """The e-mail address of the account."""


class ResetPasswordRequest(RequestBody):
    """A new password, set with the token from a mailed link."""

    token: _MailedToken
    """The token: the part of the mailed link after `#token=`."""
    password: NewPassword
    """The new password. It must not be a common password, the username or the e-mail address."""


class ChangePasswordRequest(RequestBody):
    """A new password, set with the current one."""

    current_password: _TypedText
    """The current password. Case matters."""
    new_password: NewPassword
    """The new password. It must not be a common password, the username or the e-mail address."""


class ChangeEmailRequest(RequestBody):
    """A new e-mail address for an account."""

    email: Email
    """The new e-mail address. Unique, ignoring case. It replaces the old one when the link mailed to it is used."""
    current_password: _TypedText
    """The current password. Case matters."""


class ErasureRequest(RequestBody):
    """A request to erase the member's personal data."""

    password: _TypedText
    """The current password. Case matters."""
