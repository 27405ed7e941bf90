"""What a stack costs a month, for three sizes: the table in docs/operations.md, with its arithmetic.

Prices are the list prices of us-east-1 in US dollars, without the free tiers of new accounts. The quantities are
assumptions. `python -m tools.costs` prints the table.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

NONE = ("0",)
HOURS = 730
MINUTES = HOURS * 60
SIZES = ("idle", "10,000 members", "1,000,000 members")
CENT = Decimal("0.01")

type Factors = tuple[str, ...]
"""Each a number and its unit, as in `730 h`."""


@dataclass(frozen=True)
class Line:
    """What is paid for: a price, and how often it is paid in a stack of each size."""

    what: str
    price: str
    """US dollars, and for what."""
    quantities: tuple[Factors, Factors, Factors]

    def amount(self, size: int) -> Decimal:
        """Return the US dollars a month, rounded to cents."""
        numbers = [Decimal(factor.split()[0].replace(",", "")) for factor in self.quantities[size]]
        price = Decimal(self.price.split()[0])
        return reduce(lambda product, number: product * number, numbers, price).quantize(CENT)

    def cell(self, size: int) -> str:
        """Return the arithmetic and its result."""
        factors = self.quantities[size]
        return f"{' x '.join(factors)} = ${self.amount(size):,}" if factors != NONE else ""


def _always(*factors: str) -> tuple[Factors, Factors, Factors]:
    return (factors, factors, factors)


LINES = (
    Line(
        "Aurora Serverless v2, by its average capacity; schedules and the proxy keep it from pausing",
        "0.12 an ACU-hour",
        ((f"{HOURS} h", "0.5 ACU"), (f"{HOURS} h", "1 ACU"), (f"{HOURS} h", "16 ACU")),
    ),
    Line("its storage", "0.10 a GB", (("1 GB",), ("10 GB",), ("300 GB",))),
    Line("its input and output", "0.20 a million", (("1 million",), ("20 million",), ("600 million",))),
    Line(
        "RDS Proxy, at least 8 ACU",
        "0.015 an ACU-hour",
        ((f"{HOURS} h", "8 ACU"), (f"{HOURS} h", "8 ACU"), (f"{HOURS} h", "16 ACU")),
    ),
    Line("endpoint of Amazon SES in two zones", "0.01 an hour", _always(f"{HOURS} h", "2")),
    Line(
        "send_notifications, which looks for mail for 50 s of each minute",
        "0.0000133334 a GB-second",
        _always(f"{MINUTES:,} runs", "50 s", "0.5 GB"),
    ),
    Line(
        "other functions of each minute: races, settlement, campaigns",
        "0.0000133334 a GB-second",
        (
            (f"{MINUTES:,} runs", "3", "0.3 s", "0.75 GB"),
            (f"{MINUTES:,} runs", "3", "0.4 s", "0.75 GB"),
            (f"{MINUTES:,} runs", "3", "2 s", "0.75 GB"),
        ),
    ),
    Line(
        "the feed: fetched and ingested every ten minutes",
        "0.0000133334 a GB-second",
        (NONE, ("4,380 runs", "2", "3 s", "1 GB"), ("4,380 runs", "2", "15 s", "1 GB")),
    ),
    Line(
        "send_pushes, a batch of push messages after the other",
        "0.0000133334 a GB-second",
        (NONE, ("1,000 runs", "2 s", "1 GB"), ("60,000 runs", "5 s", "1 GB")),
    ),
    Line(
        "requests with the authorizer's share and INIT: 10 a day and active member, who of 1,000,000 are 20 %",
        "0.0000133334 a GB-second",
        (NONE, ("3,040,000 requests", "0.1 s", "0.5 GB"), ("60,800,000 requests", "0.1 s", "0.5 GB")),
    ),
    Line(
        "invocations, 1.2 a request and those of schedules",
        "0.20 a million",
        (("0.18 million",), ("3.8 million",), ("73 million",)),
    ),
    Line("HTTP API", "1.00 a million", (NONE, ("3.04 million",), ("60.8 million",))),
    Line(
        "SnapStart: snapshots of 33 functions, the live and the previous version",
        "0.0000015046 a GB-second",
        _always(f"{HOURS * 3600:,} s", "66", "0.54 GB"),
    ),
    Line(
        "SnapStart: restores, one in 200 requests",
        "0.0001397998 a GB",
        (NONE, ("15,200 restores", "0.5 GB"), ("304,000 restores", "0.5 GB")),
    ),
    Line("metrics, each function that is used has three or four", "0.30 a metric", (("30",), ("300",), ("350",))),
    Line("alarms, one for each metric that they watch", "0.10 a metric", _always("35")),
    Line("logs, 1 kB a request", "0.50 a GB", (("0.2 GB",), ("4 GB",), ("70 GB",))),
    Line("traces, 5 % of requests", "5.00 a million", (NONE, ("0.15 million",), ("3 million",))),
    Line("mail, three a month and member", "0.10 a thousand", (NONE, ("30 thousand",), ("3,000 thousand",))),
    Line(
        "raw feeds in Amazon S3, kept for 400 days",
        "0.023 a GB",
        (NONE, ("8 GB",), ("290 GB",)),
    ),
    Line("secrets", "0.40 a secret", _always("2")),
    Line("key of AWS KMS, for the topic of bounces", "1.00 a key", _always("1")),
)


def total(size: int) -> Decimal:
    """Return the US dollars a month of a stack of a size, an index of `SIZES`."""
    return sum((line.amount(size) for line in LINES), Decimal(0))


def table() -> str:
    """Return the table in Markdown."""
    rows = [f"| what | price in US dollars | {' | '.join(SIZES)} |", "| --- | --- | --- | --- | --- |"]
    rows += [f"| {line.what} | {line.price} | {' | '.join(map(line.cell, range(len(SIZES))))} |" for line in LINES]
    rows.append(f"| **a month** | | {' | '.join(f'**${total(size):,}**' for size in range(len(SIZES)))} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())  # noqa: T201
