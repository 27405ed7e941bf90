"""What a check of a database reports, for the tests that read it."""

from database.check import Report, looked_at


def reported(url: str) -> list[str]:
    """What a look at the database finds, a line each, without what is only told."""
    report, _ = looked_at(url)
    return [str(finding) for finding in report.obstacles + report.remarks if not finding.is_harmless]


def decisions(report: Report) -> dict[str, list[int]]:
    """The rows that need a decision."""
    return {
        f"{kind.table}: {kind.what}": [id_ for id_, _ in kind.rows] for kind in report.undecided if not kind.is_note
    }


def notes(report: Report) -> dict[str, list[int]]:
    """The rows that are only listed."""
    return {f"{kind.table}: {kind.what}": [id_ for id_, _ in kind.rows] for kind in report.undecided if kind.is_note}
