"""What push messages say: no amount, whatever somebody wrote, and a topic that reveals nothing."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.notices.texts import describe
from goatedvips.domain.notifications.pushes.messages import make_topic, write_message

URL = "https://front.example/notifications"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
# The texts that somebody writes: amounts in many forms, and whatever else.
WRITTEN = st.one_of(
    st.sampled_from(
        [
            "June sprint",
            "$5,000 race",
            "500 USD",
            "Win €50",
            "£ 5",
            "\uff15\uff10 yen",
            "\u0665\u0660 $",
            "½ bitcoin",
            "五百円",
            "₿",
            "",
        ]
    ),
    st.text(max_size=200),
)
IDS = st.integers(1, 2**31 - 1)
AMOUNTS = st.one_of(st.none(), st.decimals(0, 10**9, places=2).map(str))
INSTANTS = st.sampled_from(["2026-06-01T00:00:00", "infinity"])
DECISIONS = st.sampled_from(["approved", "refused"])
CODE = {"code_id": IDS, "batch_id": st.none() | IDS, "count": st.integers(1, 5000), "expires_at": INSTANTS}
PAYLOADS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "link_decided": {"link_id": IDS, "decision": DECISIONS, "uid": WRITTEN, "reason": WRITTEN},
    "link_ended": {"uid": WRITTEN, "reason": WRITTEN},
    "ticket_reply": {"ticket_id": IDS, "message_id": IDS, "subject": WRITTEN},
    "race_started": {"race_id": IDS, "title": WRITTEN, "end_date": INSTANTS},
    "race_result": {"race_id": IDS, "title": WRITTEN, "rank": st.none() | IDS, "prize": AMOUNTS},
    "tier_reached": {"tier": WRITTEN, "reward": AMOUNTS},
    "code_issued": CODE | {"codes": st.lists(WRITTEN, max_size=3), "value": AMOUNTS, "starts_at": st.none() | INSTANTS},
    "win_expiring": CODE | {"code": WRITTEN},
    "code_expiring": CODE | {"code": WRITTEN},
    "statement_written": {"statement_id": IDS, "month": st.just("2026-10-01")},
    "campaign": {"campaign_id": IDS, "subject": WRITTEN, "plain_text": WRITTEN},
}  # fmt: skip
# The numbers that a push message may have: of tickets, ranks and codes, and dates.
HARMLESS = re.compile(r"#\d+|rank [\d,]+|[\d,]+ bonus codes|\d{1,2} June 2026, 00:00 UTC|October 2026", re.ASCII)


def test_each_kind_for_members_is_here() -> None:
    assert PAYLOADS.keys() == {name for name, kind in KINDS.items() if kind.push_ttl is not None}


@pytest.mark.parametrize("kind", PAYLOADS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_it_names_no_amount_and_no_code(kind: str, data: st.DataObject) -> None:
    payload = data.draw(st.fixed_dictionaries(PAYLOADS[kind]))
    document = write_message(kind, payload, "topic", URL)
    assert document["web_push"] == 8030
    shown = document["notification"]
    assert shown.keys() == {"title", "body", "lang", "tag", "navigate"}
    assert (shown["lang"], shown["tag"], shown["navigate"]) == ("en", "topic", URL)
    text = f"{shown['title']} / {shown['body']}"
    assert text.isprintable()
    assert all(0 < len(shown[name]) < 250 for name in ("title", "body"))
    left = HARMLESS.sub("", text)
    assert not [letter for letter in left if letter.isnumeric() or unicodedata.category(letter) == "Sc"]
    assert len(json.dumps(document, ensure_ascii=False).encode()) < 3000  # 3993 bytes can be encrypted (RFC 8291)


def test_harmless_words_of_staff_are_shown() -> None:
    assert (
        describe("race_started", {"title": "June\nsprint", "end_date": "infinity"}).headline == "June sprint has begun"
    )
    result = {"title": "June sprint", "rank": 1, "prize": "500.00"}
    assert describe("race_result", result).headline == "The result of June sprint"
    assert describe("race_result", result | {"title": "$5k"}).headline == "The result of a race"
    assert describe("tier_reached", {"tier": "Gold", "reward": None}).headline == "You have reached the tier Gold"
    assert describe("tier_reached", {"tier": "Gold 2", "reward": None}).headline == "You have reached a new tier"


def topic(kind: str, auth: str = AUTH, **payload: object) -> str:
    return make_topic(kind, payload, auth)


def test_a_newer_message_about_the_same_replaces_the_earlier_one_and_no_other() -> None:
    first = topic("ticket_reply", ticket_id=7, message_id=8)
    assert topic("ticket_reply", ticket_id=7, message_id=9) == first
    assert topic("win_expiring", code_id=None, batch_id=7) == topic("win_expiring", code_id=None, batch_id=7, count=2)
    assert topic("tier_reached", tier="Gold") == topic("tier_reached", tier="Diamond")
    others = {
        topic("ticket_reply", ticket_id=8, message_id=8),
        topic("ticket_reply", AUTH[::-1], ticket_id=7, message_id=8),  # another subscription
        topic("race_started", race_id=7),
        topic("race_result", race_id=7),
        topic("win_expiring", code_id=7, batch_id=None),
        topic("win_expiring", code_id=None, batch_id=7),
        topic("code_expiring", code_id=7, batch_id=None),
        topic("statement_written", month="2026-10-01"),
        topic("statement_written", month="2026-11-01"),
    }
    assert len(others | {first}) == 10
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", found) for found in others | {first})
