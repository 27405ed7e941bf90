"""The lists of codes read the rows of their page, however many other codes and claims there are."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.codes import issued, my_claims
from goatedvips.http.csv_pages import CSV_ROWS
from goatedvips.models.codes import bonus_codes
from tests.support import stack
from tests.support.members import Member, Members
from tests.support.plans import fill, rows_read

NOW = datetime.now(UTC)
BATCH, NEIGHBOUR = 1_000_001, 1_000_002
MEMBER_CLAIMS = 500
# Of the batch, as many codes as of its neighbour and as of those without a batch, in turns, so their ids are mixed.
FILL = """
INSERT INTO bonus_codes (code, code_key, expires_at, batch_id, max_claims)
SELECT 'plan-' || n || '-' || kind, 'PLAN' || n || 'X' || kind, '2999-01-01', nullif({BATCH} + kind, {BATCH} + 2), NULL
FROM generate_series(1, {count}) n, generate_series(0, 2) kind
"""
FILL_CLAIMS = """
INSERT INTO code_claims (code_id, user_id, claimed_at)
SELECT id,
    CASE WHEN code LIKE '%-0' AND split_part(code, '-', 2)::int <= {MEMBER_CLAIMS} THEN {member} ELSE {other} END,
    '2026-05-01'
FROM bonus_codes WHERE code LIKE 'plan-%'
"""
EMPTY = (
    "DELETE FROM code_claims WHERE code_id IN (SELECT id FROM bonus_codes WHERE code LIKE 'plan-%')",
    "DELETE FROM bonus_codes WHERE code LIKE 'plan-%'",
    f"DELETE FROM code_batches WHERE id IN ({BATCH}, {NEIGHBOUR})",
)


@pytest.fixture(scope="module")
def readers(database: sa.Engine) -> tuple[Member, Member]:
    """One of the staff, and a member with claims."""
    members = Members(database)
    return members.staff(), members.new()


@pytest.fixture(scope="module", params=[1_000, 100_000])
def count(request: pytest.FixtureRequest, database: sa.Engine, readers: tuple[Member, Member]) -> Iterator[int]:
    """How many codes there are in the batch, in its neighbour and without a batch, each; every code has a claim."""
    staff, member = readers
    fill(
        database,
        f"INSERT INTO code_batches (id, size, created_at) SELECT id, {request.param}, '2026-05-01'"
        f" FROM generate_series({BATCH}, {NEIGHBOUR}) id",
        FILL.format(BATCH=BATCH, count=request.param),
        FILL_CLAIMS.format(MEMBER_CLAIMS=MEMBER_CLAIMS, member=member.id, other=staff.id),
    )
    yield request.param
    fill(database, *EMPTY)


@pytest.fixture
def url(servers: stack.Stack) -> str:
    return servers.direct(os.environ["TEST_DATABASE"], "api")


@pytest.mark.parametrize("limit", [100, CSV_ROWS])
@pytest.mark.parametrize("batch_id", [None, BATCH])
@pytest.mark.parametrize("code", [None, "plan 7 x 0"])
def test_a_page_of_issued_codes_reads_the_codes_of_the_page(
    url: str, readers: tuple[Member, Member], count: int, batch_id: int | None, code: str | None, limit: int
) -> None:
    staff = readers[0]
    parameters = (
        Caller(staff.id, staff.session_id, "test").parameters(NOW)
        | {"given_batch_id": batch_id, "typed": code}
        | issued._NEWEST_FIRST.parameters(limit, None)
    )
    read = rows_read(url, issued._select_codes, parameters)
    most = 1 if code is not None else limit + 1
    assert read["bonus_codes"] <= min(most, 3 * count + 100), read
    assert read["bonus_codes"] > 0
    assert read.keys() == {"bonus_codes", "users", "sessions"}


def test_a_later_page_reads_no_more_than_the_first(
    url: str, database: sa.Engine, readers: tuple[Member, Member], count: int
) -> None:
    staff = readers[0]
    parameters = Caller(staff.id, staff.session_id, "test").parameters(NOW) | {"given_batch_id": BATCH, "typed": None}
    first = issued._NEWEST_FIRST.parameters(100, None)
    of_batch = sa.select(bonus_codes.c.id).where(bonus_codes.c.batch_id == BATCH).order_by(bonus_codes.c.id)
    with database.connect() as connection:
        position = connection.scalar(of_batch.offset(count // 2).limit(1))
    read = rows_read(url, issued._select_codes, parameters | first | {"after_id": position})
    assert 0 < read["bonus_codes"] <= 101, (count, read)


def test_a_page_of_claims_reads_the_claims_of_the_page(url: str, readers: tuple[Member, Member], count: int) -> None:
    parameters = {"caller_id": readers[1].id} | my_claims._NEWEST_FIRST.parameters(100, None)
    read = rows_read(url, my_claims._select_claims, parameters)
    assert read == {"code_claims": 101, "bonus_codes": 101}, count
