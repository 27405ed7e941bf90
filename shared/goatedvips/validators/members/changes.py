"""Requests and answers for staff's changes to members."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from goatedvips.validators.fields import AS_TYPED, CLEAN, LINE, RequestBody
from goatedvips.validators.members.search import ListedMember


class ChangedMember(ListedMember):
    """A member after a change by staff."""

    suspended_reason: str | None
    """Why the account is suspended; the member's export has it too. Null if it is not suspended."""


_Change = Annotated[bool | None, Field(strict=True)]


class MemberUpdate(RequestBody):
    """Changes to a member: at least one of `suspended`, `is_admin`, `email_verified`, `uid`.

    Null changes nothing, except `uid`.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    suspended: _Change = None
    """True suspends the account and ends all its sessions; it needs a reason. False lifts the suspension."""
    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN, LINE] | None
    ) = None
    """Why the change is made. Staff see it, also in the audit log; the member's export has it."""
    is_admin: _Change = None
    """Whether the member is staff; answers call it `is_staff`."""
    email_verified: _Change = None
    """Whether the e-mail address counts as verified."""

    uid: None = None
    """Null ends the link to the casino account, with its totals and `verified`; it needs a reason."""

    @property
    def ends_link(self) -> bool:
        """Whether `uid` is given."""
        return "uid" in self.model_fields_set

    @model_validator(mode="after")
    def _has_change_and_reason(self) -> "MemberUpdate":
        if (self.suspended, self.is_admin, self.email_verified, self.ends_link) == (None, None, None, False):
            raise ValueError("must have suspended, is_admin, email_verified or uid")
        if self.suspended and self.reason is None:
            raise ValueError("a suspension needs a reason")
        if self.ends_link and self.reason is None:
            raise ValueError("the end of a link needs a reason")
        return self


class GrantStaff(RequestBody):
    """The member who becomes staff."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=1000), AS_TYPED]
    """The username, matched exactly, then ignoring case."""
