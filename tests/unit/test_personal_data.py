"""Whatever the schema can hold of a member is decided on: whether they are shown it, and what an erasure leaves."""

import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Column, ColumnElement, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import visitors

from goatedvips.domain.privacy.holding import Holding
from goatedvips.domain.privacy.holdings import HOLDINGS, NOBODYS
from goatedvips.models.every import accounts, metadata

each_holding = pytest.mark.parametrize("holding", HOLDINGS, ids=lambda holding: holding.table.name)


def references(table: Table) -> set[Column[object]]:
    """Return the columns that say which member a row belongs to, or was touched by."""
    return {key.parent for key in table.foreign_keys if key.references(accounts.users)}


def columns_in(*expressions: ColumnElement[Any]) -> set[object]:
    return {part for expression in expressions for part in visitors.iterate(expression) if isinstance(part, Column)}


def test_every_table_is_decided_on_once() -> None:
    decided = Counter([*(holding.table for holding in HOLDINGS), *NOBODYS])
    assert decided == Counter(metadata.tables.values())


@pytest.mark.parametrize("table", NOBODYS, ids=lambda table: table.name)
def test_what_is_nobody_s_points_to_nobody(table: Table) -> None:
    assert not references(table)
    assert not {"uid", "email", "address", "username"} & set(table.columns.keys())


@each_holding
def test_every_reference_to_a_member_makes_a_row_theirs(holding: Holding) -> None:
    assert references(holding.table) <= columns_in(holding.theirs)


@each_holding
def test_an_erasure_knows_what_to_do_with_every_text(holding: Holding) -> None:
    texts = {c.name for c in holding.table.columns if isinstance(c.type, Text | JSONB)}
    known = {*holding.left, *holding.mentions, *holding.apart, *holding.impersonal}
    assert texts <= known or holding.removed is holding.theirs, texts - known
    assert not set(holding.impersonal) & {*holding.left, *holding.mentions, *holding.apart}


@each_holding
def test_no_secret_is_shown(holding: Holding) -> None:
    secrets = {
        c.name
        for c in holding.table.columns
        if isinstance(c.type, LargeBinary) or re.search("password|hash|token|secret|_key$", c.name)
    }
    assert secrets <= {*holding.withheld, *holding.shown_where}


@each_holding
def test_every_column_that_is_named_is_there(holding: Holding) -> None:
    named = {*holding.withheld, *holding.shown_where, *holding.left, *holding.mentions}
    assert {*named, *holding.apart, *holding.impersonal} <= set(holding.table.columns.keys())
    assert not set(holding.shown_too) & set(holding.table.columns.keys())
