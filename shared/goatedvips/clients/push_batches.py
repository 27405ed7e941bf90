"""The client of the documents in S3 by which push messages leave the VPC, and by which their outcomes come back.

The push messages of one lease are a batch. `put_pushes` writes it as `push/out/<batch>.json`, from which it is sent;
`put_results` writes what the push services answered as `push/in/<batch>.json`, from which it is recorded.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from goatedvips.clients.s3 import client
from goatedvips.config import settings

OUT: Final = "push/out/"
"""With which the keys of batches begin that wait to be sent."""
IN: Final = "push/in/"
"""With which the keys of results begin."""
NOT_TRIED: Final = "not_tried"
"""The error of a result: no request was made, because time ended or there is no key to send with."""
UNUSABLE: Final = "unusable"
"""The error of a result: no request was made and none will ever be, because endpoint, keys or message are refused."""
_SUFFIX = ".json"
# Fields that a later release adds are ignored, because its functions are not all deployed at the same instant.
_STRICT = ConfigDict(strict=True, extra="ignore")

type Id = Annotated[int, Field(gt=0, lt=2**63)]
type BatchName = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class MalformedBatch(Exception):
    """An object is no document of its kind; the argument says where it differs, and quotes nothing of it."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Push:
    """A push message that is to be sent.

    Parameters
    ----------
    id: the row of the outbox.
    attempt: which try of the row it is, from 1 on.
    endpoint: the URL of the push subscription.
    p256dh, auth: the browser's keys (RFC 8291), as base64url without padding.
    ttl: how long the push service keeps it for a browser that is offline, in seconds (RFC 8030, section 5.2).
    topic: of two messages with one topic, the push service keeps only the newer one (RFC 8030, section 5.4).
    urgency: RFC 8030, section 5.3.
    message: the document that is encrypted.
    """

    id: Id
    attempt: Id
    endpoint: str
    p256dh: str
    auth: str
    ttl: Annotated[int, Field(ge=0)]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    urgency: Literal["low", "normal", "high"]
    message: dict[str, Any]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Result:
    """What became of a push message.

    Parameters
    ----------
    id, attempt: the push message's.
    status: of the push service's answer; None: there was none.
    retry_after: in how many seconds the push service takes it, if it says so.
    error: what went wrong, without the message and the endpoint, because it is stored.
    """

    id: Id
    attempt: Id
    status: Annotated[int, Field(ge=100, le=599)] | None
    retry_after: Annotated[int, Field(ge=0)] | None = None
    error: Annotated[str, Field(max_length=500)] | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class PushBatch:
    """The content of an object below `OUT`."""

    batch: BatchName
    pushes: list[Push]


@dataclass(frozen=True, slots=True, config=_STRICT)
class ResultBatch:
    """The content of an object below `IN`."""

    batch: BatchName
    results: list[Result]


_PUSHES = TypeAdapter(PushBatch)
_RESULTS = TypeAdapter(ResultBatch)


def put_pushes(batch: str, pushes: list[Push]) -> None:
    """Store push messages as a batch. It takes at most 10 seconds, because mail waits meanwhile.

    Parameters
    ----------
    batch: its name, 32 hexadecimal digits in lower case.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: S3 refuses it, or cannot be reached.
    """
    _put(client(read_timeout=1.5, attempts=2), f"{OUT}{batch}{_SUFFIX}", _PUSHES.dump_json(PushBatch(batch, pushes)))


def read_pushes(key: str) -> PushBatch:
    """Read a batch.

    Raises
    ------
    MalformedBatch: the object is no batch, or not of this key.
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: there is none, or S3 cannot be reached.
    """
    batch = _read(_PUSHES, key)
    _check_key(key, OUT, batch.batch)
    return batch


def put_results(batch: str, results: list[Result]) -> None:
    """Store the results of a batch.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: S3 refuses it, or cannot be reached.
    """
    _put(client(), f"{IN}{batch}{_SUFFIX}", _RESULTS.dump_json(ResultBatch(batch, results)))


def has_results(batch: str) -> bool:
    """Return whether the results of a batch are stored.

    It lists, because a right to list can be limited to a prefix (s3:prefix), while without that right S3 answers 403
    for an object that does not exist.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: S3 refuses it, or cannot be reached.
    """
    listed = client().list_objects_v2(Bucket=settings.feed_bucket, Prefix=f"{IN}{batch}{_SUFFIX}", MaxKeys=1)
    return int(listed["KeyCount"]) > 0


def read_results(key: str) -> ResultBatch:
    """Read the results of a batch; see `read_pushes`."""
    batch = _read(_RESULTS, key)
    _check_key(key, IN, batch.batch)
    return batch


def _put(s3: Any, key: str, content: bytes) -> None:  # noqa: ANN401 - see `client`
    s3.put_object(Bucket=settings.feed_bucket, Key=key, Body=content, ContentType="application/json")


def _read[Document](form: TypeAdapter[Document], key: str) -> Document:
    content = client().get_object(Bucket=settings.feed_bucket, Key=key)["Body"].read()
    try:
        return form.validate_json(content)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = "/".join(map(str, wrong["loc"]))
        raise MalformedBatch(f"{key}: /{place}: {wrong['msg']}") from None


def _check_key(key: str, prefix: str, batch: str) -> None:
    if key != f"{prefix}{batch}{_SUFFIX}":
        raise MalformedBatch(f"{key}: /batch: is of another object")
