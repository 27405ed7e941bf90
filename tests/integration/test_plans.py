"""What PostgreSQL reads for each list does not grow with the data: rows and pages, at 1,000 rows and at 100,000.

The lists are found in the OpenAPI document, so a new list fails here until `crowds.VARIANTS` has a request for it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from goatedvips import db, light_db
from goatedvips.domain.newsletter import campaign_ends, queueing
from goatedvips.domain.notifications import sending
from tests.integration.test_pagination import paged_functions
from tests.support import stack
from tests.support.crowds import NOW, OTHERS, VARIANTS, Crowd, Variant, make_crowd
from tests.support.functions import Answer, Functions
from tests.support.plans import Requests

REQUESTS = VARIANTS | OTHERS
pytestmark = pytest.mark.timeout(300)  # the first test of each size waits for its rows


@dataclass(frozen=True)
class Crowded:
    """A crowd, and the engine with which handlers reach it."""

    crowd: Crowd
    engine: sa.Engine


@pytest.fixture(scope="module", params=[1_000, 100_000])
def crowded(request: pytest.FixtureRequest, servers: stack.Stack) -> Iterator[Crowded]:
    name = f"{os.environ['TEST_DATABASE']}_crowded"
    stack.copy(servers, name)
    url = sa.make_url(servers.direct(name)).set(drivername="postgresql+pg8000")
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    engine = db.make_engine(servers.direct(name, "api"))
    yield Crowded(make_crowd(owner, request.param), engine)
    engine.dispose()
    owner.dispose()


def request_page(functions: Functions, crowd: Crowd, variant: Variant, **query: str) -> Answer:
    by = {"member": crowd.member, "staff": crowd.staff, None: None}[variant.by]
    return functions.call(
        variant.function,
        by=by,
        path=with_ids(variant.path or "", crowd) or None,
        query={name: with_ids(value, crowd) for name, value in variant.query.items()} | query,
        now=NOW,
    )


def test_sending_and_braking_campaigns_reads_few_rows(crowded: Crowded) -> None:
    """However much mail of a campaign was sent or waits, a batch is leased and the brake is checked in a few rows."""
    with Requests(crowded.engine) as requests, crowded.engine.connect() as connection:
        taken = sending.lease(connection, 14, rate=100, now=NOW)
        campaign_ends.pause(connection, now=NOW)
        campaign_ends.settle(connection, now=NOW)
        assert queueing.find_due(connection, now=NOW) == []
    assert {mail.payload.get("campaign_id", mail.kind) for mail in taken} == {"newsletter"}
    read, pages = requests.count()
    assert 0 < read["outbox"] <= 2_000, read
    assert read.total() <= 3_000, read
    assert pages <= 1_000


def with_ids(text: str, crowd: Crowd) -> str:
    return re.sub(r"\{(\d)\}", lambda number: str(crowd.first + int(number[1])), text)


def test_every_list_of_the_api_has_its_requests() -> None:
    assert paged_functions() == {variant.function for variant in VARIANTS.values()}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_reads_few_rows(
    functions: Functions, crowded: Crowded, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(db, "engine", lambda: crowded.engine)
    monkeypatch.setattr(light_db, "reading", db.reading)  # it executes what a statement was compiled from
    variant, cursor = REQUESTS[name], None
    for page in range(2):
        with Requests(crowded.engine) as requests:
            answer = request_page(functions, crowded.crowd, variant, **({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.text
        read, pages = requests.count()
        assert 0 < read.total() <= variant.most, (page, read)
        assert pages <= variant.most_pages, page
        found = re.search(r'"next_cursor":"([^"]+)"', answer.text)
        cursor = found and found[1]
