"""GET /v1/me/notification-preferences: the defaults, and the public key of push."""

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.models.notifications import notification_preferences
from tests.integration.notifications.test_update_preferences import DEFAULTS, NOON, get, patch, rows
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.rows import insert_row


def test_without_a_row_the_defaults_hold_and_consent_is_not_assumed(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    insert_row(database, notification_preferences, wager_race_updates=False)  # an adopted row, which is nobody's
    member = members.new()
    assert get(functions, member) == DEFAULTS
    assert rows(database, member) == []


def test_nobody_and_who_is_suspended_are_refused(functions: Functions, members: Members) -> None:
    assert functions.call("get_preferences").status == 401
    assert functions.call("get_preferences", by=members.new(suspended_at=NOON)).json["code"] == "account_suspended"


def test_the_public_key_of_push_is_a_setting(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "push_public_key", "BPublicKey")
    member = members.new()
    assert get(functions, member)["push_public_key"] == "BPublicKey"
    assert patch(functions, member, push_notifications=True).json["push_public_key"] == "BPublicKey"
