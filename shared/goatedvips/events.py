"""The edge of functions that S3 starts when an object was put into the feed bucket, and of those that SNS starts.

Both send an event at least once, and in any order; a function must do the same whatever arrives when. The shapes:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from goatedvips import resume_garbage_collection
from goatedvips.config import settings
from goatedvips.runs import Context, run

type Event = dict[str, Any]


class ForeignEvent(Exception):
    """The event is none that the template sends to this function; its argument says in what it differs."""


def lambda_handler(
    work: Callable[[str], Mapping[str, int]], *, prefix: str
) -> Callable[[Event, Context], dict[str, int]]:
    """Return what Lambda calls. A handler's module ends with this call.

    Parameters
    ----------
    work: does one run for the key of an object. Lambda may call it twice for one event, also at the same time. It
        returns counts of what it did; `{"readings": 3}` is logged and becomes the metric `Readings`.
    prefix: with which the keys begin that the function is for.
    """

    def handler(event: Event, context: Context) -> dict[str, int]:
        return run(lambda: work(_object_key(event, prefix)), context, event_time=event.get("time"))

    resume_garbage_collection()
    return handler


def _object_key(event: Event, prefix: str) -> str:
    """Return the key of the object that was put. Unlike in S3's notifications to Lambda itself, it is not URL-encoded.

    Raises
    ------
    ForeignEvent
    """
    if (event.get("source"), event.get("detail-type")) != ("aws.s3", "Object Created"):
        raise ForeignEvent(f"{event.get('detail-type')} of {event.get('source')}")
    detail: dict[str, Any] = event.get("detail") or {}
    bucket, key = (detail.get(part) or {} for part in ("bucket", "object"))
    if bucket.get("name") != settings.feed_bucket:
        raise ForeignEvent(f"bucket {bucket.get('name')}")
    if not str(key.get("key", "")).startswith(prefix):
        raise ForeignEvent(f"key {key.get('key')}")
    return str(key["key"])


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A message of Amazon SNS."""

    id: str
    """The same each time it is delivered."""
    text: str


def sns_handler(
    work: Callable[[SnsMessage], Mapping[str, int]], *, topic: str
) -> Callable[[Event, Context], dict[str, int]]:
    """Return what Lambda calls for the messages of a topic. A handler's module ends with this call.

    That the topic sent them is certain by the function's resource policy, which names the topic; no signature is
    verified.

    Parameters
    ----------
    work: handles one message. It returns counts of what it did, as the work of `lambda_handler` does.
    topic: the ARN of the topic.
    """

    def handle(messages: list[SnsMessage]) -> Counter[str]:
        done: Counter[str] = Counter()
        for message in messages:
            done.update(work(message))
        return done

    def handler(event: Event, context: Context) -> dict[str, int]:
        return run(lambda: handle([_sns_message(record, topic) for record in event.get("Records") or ()]), context)

    resume_garbage_collection()
    return handler


def _sns_message(record: Event, topic: str) -> SnsMessage:
    """Return the message of a record.

    Raises
    ------
    ForeignEvent: it is not of the topic.
    """
    notification: dict[str, Any] = record.get("Sns") or {}
    if record.get("EventSource") != "aws:sns" or not topic or notification.get("TopicArn") != topic:
        raise ForeignEvent(f"{record.get('EventSource')} {notification.get('TopicArn')}")
    return SnsMessage(str(notification["MessageId"]), str(notification["Message"]))
