"""Every table, reference to a member and text column of the schema is covered by the holdings."""

import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Column, ColumnElement, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import visitors

from goatedvips.domain.privacy.holdings import HOLDINGS, WITHOUT_PERSONAL_DATA
from goatedvips.domain.privacy.personal_data import PersonalData
from goatedvips.models.every import accounts, metadata, wagers

each_holding = pytest.mark.parametrize("holding", HOLDINGS, ids=lambda holding: holding.table.name)


def references(table: Table) -> set[Column[object]]:
    """Return the columns that reference a member."""
    return {key.parent for key in table.foreign_keys if key.references(accounts.users)}


def columns_in(*expressions: ColumnElement[Any]) -> set[object]:
    return {part for expression in expressions for part in visitors.iterate(expression) if isinstance(part, Column)}


def test_every_table_has_exactly_one_entry() -> None:
    covered = Counter([*(holding.table for holding in HOLDINGS), *WITHOUT_PERSONAL_DATA])
    assert covered == Counter(metadata.tables.values())


@pytest.mark.parametrize("table", WITHOUT_PERSONAL_DATA, ids=lambda table: table.name)
def test_a_table_without_personal_data_references_no_member(table: Table) -> None:
    assert not references(table)
    # Nothing but an ingest's transaction has rows in feed_entries: test_ingest.py finds it empty afterwards.
    assert table is wagers.feed_entries or not {"uid", "email", "address", "username"} & set(table.columns.keys())


@each_holding
def test_every_reference_to_a_member_is_in_the_condition_on_rows(holding: PersonalData) -> None:
    assert references(holding.table) <= columns_in(holding.rows)


@each_holding
def test_an_erasure_covers_every_text_column(holding: PersonalData) -> None:
    texts = {c.name for c in holding.table.columns if isinstance(c.type, Text | JSONB)}
    covered = {*holding.overwrite, *holding.scrub_email_in, *holding.handled_in_code, *holding.not_personal}
    assert texts <= covered or holding.delete is holding.rows, texts - covered
    assert not set(holding.not_personal) & {*holding.overwrite, *holding.scrub_email_in, *holding.handled_in_code}


@each_holding
def test_no_secret_is_exported(holding: PersonalData) -> None:
    secrets = {
        c.name
        for c in holding.table.columns
        if isinstance(c.type, LargeBinary) or re.search("password|hash|token|secret|_key$", c.name)
    }
    assert secrets <= {*holding.never_exported, *holding.exported_if}


@each_holding
def test_every_named_column_exists(holding: PersonalData) -> None:
    named = {*holding.never_exported, *holding.exported_if, *holding.overwrite, *holding.scrub_email_in}
    assert {*named, *holding.handled_in_code, *holding.not_personal} <= set(holding.table.columns.keys())
    assert not set(holding.also_exported) & set(holding.table.columns.keys())
