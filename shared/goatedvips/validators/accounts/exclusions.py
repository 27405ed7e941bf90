"""Requests and answers of exclusion from play."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from goatedvips.validators.fields import AnswerBody, RequestBody

_ONLY_TRUE = WithJsonSchema({"type": "boolean", "const": True})
_LONGEST = 36_500  # days: a hundred years, and a date that every calendar has


def _true(value: bool) -> bool:  # noqa: FBT001 - the value itself
    if not value:
        raise ValueError("must be true")
    return value


class ExclusionRequest(RequestBody):
    """For how long a member wants to be kept from play: either a number of days, or for good."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    days: Annotated[int, Field(strict=True, ge=1, le=_LONGEST)] | None = None
    """Each of 24 hours, from now on."""
    permanent: Annotated[bool, Field(strict=True), AfterValidator(_true), _ONLY_TRUE] | None = None
    """For good: nobody can end it."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.days is None) == (self.permanent is None):
            raise ValueError("must have either days or permanent")
        return self


class Exclusion(AnswerBody):
    """An exclusion from play, in force at once."""

    excluded_until: datetime | None
    """From then on the member may end it; null: never."""
    permanent: bool
    """For good."""
