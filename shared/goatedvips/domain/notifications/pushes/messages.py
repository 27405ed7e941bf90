"""What a push message says: the document that a browser shows by itself (Declarative Web Push), and its topic.

A service worker gets the same document: https://w3c.github.io/push-api/#declarative-push-messages
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from goatedvips.domain.notifications.notices.texts import describe

_WEB_PUSH: Final = 8030  # which marks the document: the number of the RFC
_TOPIC_BYTES: Final = 24  # 32 characters, the most that RFC 8030 lets a topic have
# What a message of each kind is about, as in its payload. A newer one of the same kind about the same replaces it.
_SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "link_decided": ("link_id",),
    "link_ended": ("uid",),
    "ticket_reply": ("ticket_id",),
    "race_started": ("race_id",),
    "race_result": ("race_id",),
    "tier_reached": (),  # the member's present tier
    "code_issued": ("code_id", "batch_id"),
    "win_expiring": ("code_id", "batch_id"),
    "code_expiring": ("code_id", "batch_id"),
    "statement_written": ("month",),
    "campaign": ("campaign_id",),
}


def write_message(kind: str, payload: Mapping[str, Any], topic: str, url: str) -> dict[str, Any]:
    """Return the document of a push message.

    Parameters
    ----------
    payload: for a campaign with its `subject` and `plain_text`.
    url: where the browser leads to, absolute.

    Raises
    ------
    LookupError: the kind is none for members, or its payload does not have the expected form.
    """
    notice = describe(kind, payload)
    shown = {"title": notice.headline, "body": notice.teaser, "lang": "en", "tag": topic, "navigate": url}
    return {"web_push": _WEB_PUSH, "notification": shown}


def make_topic(kind: str, payload: Mapping[str, Any], auth: str) -> str:
    """Return the topic of a push message (RFC 8030, section 5.4), by which a push service replaces the one before.

    It is a digest with the push subscription's secret, so it says nothing to the push service, which does not know the
    secret, and no two subscriptions have the same one.

    Parameters
    ----------
    auth: the secret of the push subscription.

    Raises
    ------
    LookupError: see `write_message`.
    """
    about = "\n".join([kind, *(str(payload[name]) for name in _SUBJECTS[kind])])
    digest = hmac.digest(auth.encode(), about.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest[:_TOPIC_BYTES]).decode()
