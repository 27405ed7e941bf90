"""The base of every problem."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, TypedDict

if TYPE_CHECKING:
    from sqlalchemy import Executable


class InvalidValue(TypedDict):
    """What is wrong with one value of a request."""

    pointer: str
    """A JSON pointer (RFC 6901) into the body, or to a parameter; empty for the whole body or a header."""
    detail: str
    """What is wrong with it, for a person."""


class Problem(Exception):
    """A request that is answered with an error and changes nothing.

    Parameters
    ----------
    detail: one sentence for the person who reads the answer; the title if absent.
    retry_after: seconds after which the client should try again.
    reason: for the log only.
    leaves: a statement that is executed and committed after the roll-back, such as one that counts a failed attempt.
    members: further members of the problem document (RFC 9457, section 3.2), as the class declares them.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: int | None = None,
        reason: str | None = None,
        leaves: "Executable | None" = None,
        **members: int | str | datetime | Mapping[str, object] | list[dict[str, str]] | None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.reason = reason
        self.leaves = leaves
        self.members: Mapping[str, object] = members
        vars(self).update(members)
