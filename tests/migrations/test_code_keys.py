"""The keys of bonus codes: which characters they ignore, and how existing keys are renewed."""

import sys
import unicodedata

import pytest
from sqlalchemy import Engine, Text, bindparam, func, select, text

from database.checks.rows import code_key
from migrations.upgrade import upgrade
from tests.migrations.test_upgrade_in_use import upgrade_to
from tests.support.databases import run_sql

IGNORED = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in {"Zs", "Pd", "Cf"}]
CODE = bindparam("code", type_=Text)


def test_spaces_dashes_and_invisible_characters_are_ignored(url: str, database: Engine) -> None:
    upgrade(url)
    assert len(IGNORED) > 200
    query = select(func.code_key(CODE), code_key(CODE))
    with database.connect() as connection:
        for character in IGNORED:
            assert connection.execute(query, {"code": f"a{character}b"}).one() == ("AB", "AB"), ascii(character)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("ｓｕｍｍｅｒ－２０２６", "SUMMER2026"),  # noqa: RUF001 - full-width
        ("ﬁrst", "FIRST"),
        ("Été\u200d", "ÉTÉ"),
        ("e\u200d\u0301te\u0301", "ÉTÉ"),
        ("goat_1", "GOAT_1"),
        ("goat+1", "GOAT+1"),
        (" \u3000\u200b-", ""),
        ("", ""),
    ],
)
def test_codes_are_matched_by_their_compatibility_form(url: str, database: Engine, code: str, key: str) -> None:
    upgrade(url)
    with database.connect() as connection:
        assert connection.execute(select(func.code_key(CODE), code_key(CODE)), {"code": code}).one() == (key, key)


def test_the_step_renews_the_keys_that_differ_and_no_others(guide_url: str, database: Engine) -> None:
    codes = ["GO\u200bAT", "ＧＯＡＴ", "summer-1", "SUMMER\u20601", "k\ufeffid", "plain"]  # noqa: RUF001 - full-width
    rows = ", ".join(f"('{code}', '2027-01-01')" for code in codes)
    run_sql(guide_url, f"INSERT INTO bonus_codes (code, expires_at) VALUES {rows}")
    upgrade_to(guide_url, "deletes_of_the_old_application")
    keys = text("SELECT code_key FROM bonus_codes ORDER BY id")
    versions = text("SELECT xmin::text FROM bonus_codes ORDER BY id")
    with database.connect() as connection:
        before = ["GO\u200bAT", "ＧＯＡＴ", "SUMMER1", "SUMMER\u20601", "K\ufeffID", "PLAIN"]  # noqa: RUF001
        assert connection.scalars(keys).all() == before
        written = connection.scalars(versions).all()
    upgrade(guide_url)
    with database.connect() as connection:
        assert connection.scalars(keys).all() == ["GOAT", None, "SUMMER1", None, "KID", "PLAIN"]
        untouched = [old == new for old, new in zip(written, connection.scalars(versions).all(), strict=True)]
        assert untouched == [False, False, True, False, False, True]
