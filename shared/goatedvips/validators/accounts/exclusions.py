"""Requests and answers for exclusion from play (responsible gambling)."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from goatedvips.validators.fields import AnswerBody, RequestBody

_ONLY_TRUE = WithJsonSchema({"type": "boolean", "const": True})
_MOST_DAYS = 36_500  # a hundred years, so that the end is a date that Python and PostgreSQL can represent


def _require_true(value: bool) -> bool:  # noqa: FBT001 - a validator takes the value
    if not value:
        raise ValueError("must be true")
    return value


class ExclusionRequest(RequestBody):
    """How long the member is excluded from play: either a number of days, or permanently."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    days: Annotated[int, Field(strict=True, ge=1, le=_MOST_DAYS)] | None = None
    """The number of days, each of 24 hours, from now on."""
    permanent: Annotated[bool, Field(strict=True), AfterValidator(_require_true), _ONLY_TRUE] | None = None
    """Excludes the member permanently: nobody can end the exclusion."""

    @model_validator(mode="after")
    def _has_exactly_one(self) -> Self:
        if (self.days is None) == (self.permanent is None):
            raise ValueError("must have either days or permanent")
        return self


class Exclusion(AnswerBody):
    """An exclusion from play. It is in force immediately."""

    excluded_until: datetime | None
    """When the member may end the exclusion; null if it is permanent."""
    permanent: bool
    """Whether the exclusion is permanent."""
