"""Answers about the platform itself."""

from typing import Literal

from pydantic import Field

from goatedvips.validators.fields import AnswerBody


class SchemaRevision(AnswerBody):
    """Revisions of the database's schema."""

    expected: str
    actual: str


class Health(AnswerBody):
    """All is well; else the answer is a problem with status 503."""

    status: Literal["ok"] = "ok"
    database: Literal["ok"] = "ok"
    schema_: SchemaRevision = Field(alias="schema")
