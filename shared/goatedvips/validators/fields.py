"""Field types that requests and answers share."""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

_ID = re.compile(r"[1-9][0-9]{0,9}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,2})?")
# RFC 5321, section 4.1.2: a Dot-string in ASCII, no Quoted-string. SES sends to no other address.
_LOCAL_PART = re.compile(r"(?=.{1,64}\Z)[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
# RFC 5321, section 4.1.2, and RFC 3696, section 2: no trailing dot, and no last label of digits only (an IP address).
_DOMAIN = re.compile(
    r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+\Z)[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", re.ASCII | re.IGNORECASE
)
_LONGEST_EMAIL = 254
# Characters that change the direction of the text around them: a line could pretend to be another one.
_BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Blank characters that Unicode counts as letters, marks or symbols: Default_Ignorable_Code_Point and the Braille blank.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # controls and separators
LARGEST_ID = 2**31 - 1


class RequestBody(BaseModel):
    """A JSON object in a request. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerBody(BaseModel):
    """A JSON object in an answer, made from a row or from a domain object."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def storable(value: object) -> object:
    """Refuse text that PostgreSQL cannot store."""
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("must not contain NUL")
    if isinstance(value, str) and _SURROGATE.search(value):
        raise ValueError("must be Unicode without lone surrogates")
    return value


def _clean(value: object) -> object:
    text = storable(value)
    return unicodedata.normalize("NFC", text) if isinstance(text, str) else text


def plain_id(value: object) -> object:
    """Refuse an id that is not written in plain digits."""
    if not (isinstance(value, str) and _ID.fullmatch(value)):
        raise ValueError("must be a positive integer")
    return value


def _rfc_3339(value: object) -> object:
    if not (isinstance(value, str) and _INSTANT.fullmatch(value)):
        raise ValueError('must be an instant as RFC 3339 has it, such as "2026-05-01T12:00:00Z"')
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _amount(value: object) -> object:
    if not (isinstance(value, str) and _AMOUNT.fullmatch(value)):
        raise ValueError('must be a decimal string with at most two decimals, such as "12.50"')
    return value


def _signed_amount(value: object) -> object:
    if not (isinstance(value, str) and _AMOUNT.fullmatch(value.removeprefix("-"))):
        raise ValueError('must be a decimal string with at most two decimals, such as "12.50" or "-12.50"')
    return value


def ascii_domain(domain: str) -> str | None:
    """Return a domain as mail is sent to it: in ASCII (the IDNA A-label, by UTS 46); None if it is no domain.

    A plain ASCII domain keeps its spelling.
    """
    if not domain.isascii() or "xn--" in domain.lower():
        import idna  # seldom needed; takes 20 ms

        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            return None
    return domain if _DOMAIN.fullmatch(domain) else None


def _email(value: str) -> str:
    local_part, _, domain = value.rpartition("@")
    ascii_only = ascii_domain(domain) if len(value) <= _LONGEST_EMAIL else None
    email = f"{local_part}@{ascii_only}"
    if ascii_only is None or not _LOCAL_PART.fullmatch(local_part) or len(email) > _LONGEST_EMAIL:
        raise ValueError("must be an e-mail address")
    return email


def _line(value: str) -> str:
    if _BIDIRECTIONAL.search(value):
        raise ValueError("must not contain bidirectional control characters")
    if not any(map(is_visible, value)):
        raise ValueError("must have a visible character")
    return value


def is_visible(character: str) -> bool:
    """Whether a character shows anything: it is no control, no space and no other blank character."""
    return unicodedata.category(character) not in _INVISIBLE and not _BLANK.match(character)


def decimal_string(amount: Decimal) -> str:
    """Write a decimal exactly, with at least two decimals and without an exponent."""
    if not amount.is_finite():  # PostgreSQL's numeric has NaN, and adopted rows answer as they are
        return str(amount)
    exact = amount.normalize()
    decimals = max(2, -int(exact.as_tuple().exponent))
    return f"{exact:.{decimals}f}"


def _zone(value: str) -> str:
    from goatedvips import time_zones  # only few requests have a time zone

    if value not in time_zones.names():
        raise ValueError("must be an IANA time zone, such as Europe/Berlin")
    return value


def one_of(*values: str) -> WithJsonSchema:
    """Describe text of a response as one of these values; it is not validated, so that every row can be answered.

    Rows that the legacy application wrote may have another value.
    """
    return WithJsonSchema({"type": "string", "enum": list(values)})


def matching(pattern: str, detail: str) -> AfterValidator:
    """For text of a certain form: refuses other text in plain words, not with the pattern.

    The OpenAPI document gets the pattern from `json_schema_extra` of the field.

    Parameters
    ----------
    pattern: what the whole text must match.
    detail: the pattern in words, as in "must be …".
    """
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(detail)
        return value

    return AfterValidator(check)


AS_TYPED = BeforeValidator(storable)
"""For text that is compared with adopted values: refuses NUL and lone surrogates, and changes nothing."""

CLEAN = BeforeValidator(_clean)
"""For text in a request: refuses NUL and lone surrogates, and normalises to NFC before lengths are checked."""

ID = BeforeValidator(plain_id)
"""For an id in a path or a query: refuses all but plain digits, because pydantic would accept `1_0` and `1.0`."""

LINE = AfterValidator(_line)
"""For a line of text that people see, such as a title or a reason: refuses blank lines and bidirectional controls."""

IN_UTC = AfterValidator(_utc)
"""For an aware instant with any offset: converts it to UTC."""

type PathId = Annotated[int, Path(), ID, Field(le=LARGEST_ID)]
"""An id in a path. Anything but a positive 32-bit integer is answered with 404."""

type Amount = Annotated[
    Decimal, BeforeValidator(_amount), WithJsonSchema({"type": "string", "examples": ["12.50"]}, mode="validation")
]
"""Money in a request: a decimal string with at most two decimals."""

type SignedAmount = Annotated[
    Decimal,
    BeforeValidator(_signed_amount),
    WithJsonSchema({"type": "string", "examples": ["12.50", "-12.50"]}, mode="validation"),
]
"""Money in a request, which may be below zero: a decimal string with at most two decimals."""

type Money = Annotated[
    Decimal,
    Field(allow_inf_nan=True),
    PlainSerializer(decimal_string, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["12.50"]}),
]
"""Money in an answer: a decimal string."""

type Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), IN_UTC]
"""An instant in a request: RFC 3339 with any offset, as UTC."""

type Email = Annotated[
    str,
    CLEAN,
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": _LONGEST_EMAIL}, mode="validation"),
]
"""An e-mail address in a request: ASCII before the `@`; an internationalised domain is converted to ASCII (IDNA).

It otherwise keeps its spelling, so each mailbox has one address, ignoring case.
"""

type TimeZone = Annotated[str, AfterValidator(_zone)]
"""The IANA name of a time zone in a request."""

type Currency = Annotated[str, one_of("USD")]
"""A currency (ISO 4217)."""
