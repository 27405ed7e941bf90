"""Answers about the platform itself."""

from typing import Literal

from pydantic import Field

from goatedvips.validators.fields import AnswerBody


class SchemaRevision(AnswerBody):
    """Revisions of the database's schema."""

    expected: str
    """The one that this release is written for."""
    actual: str
    """The one that the database has."""


class Health(AnswerBody):
    """All is well; else the answer is a problem with status 503."""

    status: Literal["ok"] = "ok"
    """Of the whole."""
    database: Literal["ok"] = "ok"
    """It answers."""
    schema_: SchemaRevision = Field(alias="schema")
    """Both are the same here."""
