"""GET /v1/admin/codes: staff list bonus codes, newest first, or download them as CSV."""

import csv
import io
import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from goatedvips.http import csv_pages
from goatedvips.models.codes import bonus_codes
from tests.support.codes import Codes
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
COLUMNS = [
    "id",
    "code",
    "value",
    "currency",
    "starts_at",
    "expires_at",
    "max_claims",
    "claims",
    "user_id",
    "batch_id",
    "revoked_at",
]


def listed(functions: Functions, by: Member, **query: object) -> Answer:
    return functions.call("list_issued_codes", by=by, query={name: str(value) for name, value in query.items()})


def rows_of(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_the_list_has_each_code_with_its_terms_claims_batch_and_revocation(
    members: Members, functions: Functions, codes: Codes
) -> None:
    owner = members.new()
    batch = codes.batch(1, user_id=owner.id, claims=1, starts_at=NOON, revoked_at=NOON + timedelta(hours=1))
    (item,) = listed(functions, members.staff(), batch_id=batch).json["items"]
    assert list(item) == COLUMNS
    assert item | {"id": 0, "code": ""} == {
        "id": 0,
        "code": "",
        "value": "5.00",
        "currency": "USD",
        "starts_at": "2026-05-01T12:00:00Z",
        "expires_at": "2036-04-27T12:00:00Z",
        "max_claims": 1,
        "claims": 1,
        "user_id": owner.id,
        "batch_id": batch,
        "revoked_at": "2026-05-01T13:00:00Z",
    }


def test_the_newest_code_comes_first_and_every_code_is_on_one_page(
    members: Members, functions: Functions, codes: Codes
) -> None:
    staff, batch = members.staff(), codes.batch(5)
    found, query = [], {"batch_id": batch, "limit": 2}
    while True:
        page = listed(functions, staff, **query).json
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found, reverse=True)


def test_a_code_is_found_by_its_text_as_a_member_types_it(members: Members, functions: Functions, codes: Codes) -> None:
    staff, code = members.staff(), codes.new(code=f"Summer {secrets.token_hex(6)}")
    for typed in (code.code, code.code.upper().replace(" ", "%20-"), code.code.replace(" ", "")):
        items = listed(functions, staff, code=typed.replace("%20", " ")).json["items"]
        assert [item["id"] for item in items] == [code.id]
    assert listed(functions, staff, code=f"{code.code}x").json["items"] == []
    assert listed(functions, staff, code=code.code, batch_id=codes.batch(1)).json["items"] == []


def test_adopted_codes_and_codes_issued_alone_are_listed_with_what_is_unknown_as_null(
    members: Members, functions: Functions, codes: Codes
) -> None:
    code = codes.new(value=None)
    first = listed(functions, members.staff(), limit=1).json["items"][0]
    assert (first["id"], first["value"], first["batch_id"], first["revoked_at"]) == (code.id, None, None, None)


@pytest.mark.parametrize(
    "query",
    [
        {"batch_id": "0"},
        {"batch_id": "-1"},
        {"batch_id": "x"},
        {"batch_id": "2147483648"},
        {"code": ""},
        {"format": "xlsx"},
        {"format": "CSV"},
        {"limit": "101"},
        {"cursor": "x"},
        {"format": "csv", "cursor": "x"},
    ],
)
def test_an_invalid_parameter_is_named(members: Members, functions: Functions, query: dict[str, str]) -> None:
    refused = functions.call("list_issued_codes", by=members.staff(), query=query)
    assert refused.status == 422
    name = [*query][-1]
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{name}"]


def test_only_a_caller_who_is_staff_in_the_database_lists_codes(
    members: Members, functions: Functions, codes: Codes
) -> None:
    codes.new()
    assert functions.call("list_issued_codes").status == 401
    assert listed(functions, members.new()).status == 403
    for query in ({}, {"format": "csv"}):
        staff = members.staff()
        members.change(staff, is_admin=False)
        refused = listed(functions, staff, **query)
        assert (refused.status, refused.json["code"]) == (403, "forbidden")


def test_csv_has_the_columns_of_the_list_and_the_same_values(
    members: Members, functions: Functions, codes: Codes
) -> None:
    staff, batch = members.staff(), codes.batch(2, starts_at=NOON)
    answer = listed(functions, staff, batch_id=batch, format="csv")
    items = listed(functions, staff, batch_id=batch).json["items"]
    assert answer.text.splitlines()[0] == ",".join(COLUMNS)
    assert rows_of(answer) == [
        {name: "" if value is None else str(value) for name, value in item.items()} for item in items
    ]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="codes.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Link" not in answer.headers


def test_the_link_of_a_page_of_csv_leads_through_all_rows(
    members: Members, functions: Functions, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff, batch = members.staff(), codes.batch(5)
    query: dict[str, str] = {"batch_id": str(batch), "format": "csv"}
    pages = []
    monkeypatch.setattr(load("list_issued_codes"), "CSV_ROWS", 2)
    while True:
        answer = functions.call("list_issued_codes", by=staff, query=query)
        pages.append([row["id"] for row in rows_of(answer)])
        if "Link" not in answer.headers:
            break
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers["Link"])
        assert link is not None
        target = urlsplit(link[1])
        assert (target.scheme, target.netloc, target.path) == ("", "", "/v1/admin/codes")
        query = dict(parse_qsl(target.query, strict_parsing=True))
        assert query.keys() == {"batch_id", "format", "cursor"}
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({row for page in pages for row in page}) == 5


def test_a_page_of_csv_has_20000_rows_and_fits_into_an_answer_of_lambda(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    batch = codes.batch(1)
    with database.connect() as connection:
        rows = connection.execute(
            sa.text(
                "INSERT INTO bonus_codes (code, code_key, expires_at, value, batch_id)"
                " SELECT 'CSV-' || n || '-' || :batch, 'CSV' || n || 'B' || :batch, '2999-01-01', 99999999.99, :batch"
                " FROM generate_series(1, 20000) n"
            ),
            {"batch": batch},
        )
        assert rows.rowcount == 20_000
    answer = listed(functions, members.staff(), batch_id=batch, format="csv", limit=5)
    assert len(rows_of(answer)) == csv_pages.CSV_ROWS == 20_000
    assert "Link" in answer.headers
    assert len(answer.text.encode()) < 6_000_000
    with database.connect() as connection:
        connection.execute(sa.delete(bonus_codes).where(bonus_codes.c.batch_id == batch))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        " =1+1",
        "\t=1+1",
        "\r\n@x",
        "\u00a0+1",
        "\u200b=1+1",
        "\ufeff=1+1",
        "\u00ad \u2060@x",
        "\x08-1",
        "\u3164=1+1",
        "\uff1d1+1",
        "\uff201",
        "=cmd|' /C calc'!A0",
        "a,=1",
        '"=1',
        "plain",
    ],
)
def test_no_cell_of_csv_begins_like_a_formula(members: Members, functions: Functions, codes: Codes, text: str) -> None:
    adopted = text + secrets.token_hex(6)
    batch = codes.batch(1, code=adopted)
    (row,) = rows_of(listed(functions, members.staff(), batch_id=batch, format="csv"))
    assert not any(cell.strip().startswith(("=", "+", "-", "@")) for cell in row.values())
    assert row["code"] in {adopted, f"'{adopted}"}
    assert (row["code"] == adopted) == (text in {"a,=1", '"=1', "plain"})
