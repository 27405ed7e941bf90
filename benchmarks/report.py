"""Lines of a benchmark's result: each has what was measured, its limit, its moonshot and the noise of the machine."""

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 46


@dataclass(frozen=True)
class Line:
    """One measured ratio or figure.

    Parameters
    ----------
    what: what was measured, with the unit unless it is a ratio.
    measured: the result; None: it cannot be measured here, for the reason in `detail`.
    must: the limit; None: there is none.
    moonshot: what would be excellent; None: there is no such goal.
    noise: the ratio of a thing to itself, measured in the same run.
    detail: the figures behind the result.
    at_least: whether `must` is the lowest good result; otherwise it is the highest.
    """

    what: str
    measured: float | None
    must: float | None = None
    moonshot: float | None = None
    noise: float | None = None
    detail: str = ""
    at_least: bool = False

    @property
    def fails(self) -> bool:
        """Whether the result misses the limit."""
        if self.measured is None or self.must is None:
            return False
        return self.measured < self.must if self.at_least else self.measured > self.must


def print_heading() -> None:
    """Print the names of the columns."""
    print(f"{'':{WIDTH}}{'measured':>9}{'must':>9}{'moonshot':>9}{'noise':>7}", flush=True)


def show(line: Line) -> bool:
    """Print a line; return whether its result misses the limit."""
    sign = "≥" if line.at_least else "≤"
    cells = (
        f"{_figure(line.measured):>9}",
        f"{'' if line.must is None else sign + _figure(line.must):>9}",
        f"{'' if line.moonshot is None else sign + _figure(line.moonshot):>9}",
        f"{'' if line.noise is None else f'{line.noise:.2f}':>7}",
    )
    verdict = "   MISSED" if line.fails else ""
    print(f"{line.what:{WIDTH}}{''.join(cells)}{verdict}   {line.detail}".rstrip(), flush=True)
    return line.fails


def show_all(lines: Iterable[Line]) -> bool:
    """Print each line; return whether one of them misses its limit."""
    failed = [show(line) for line in lines]
    return any(failed)


def _figure(value: float | None) -> str:
    """Return a figure in three digits or more."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004
