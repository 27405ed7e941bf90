#!/usr/bin/env bash
# aws-croniter 2.1.1: a valid schedule for the last day of each week is accepted, and then never occurs.
#
# One would guess: EventBridge defines L in the day-of-week field as the last day of the week, Saturday, so that
# cron(0 9 ? * L *) is the same as cron(0 9 ? * 7 *). The library names L among the signs that it supports.
# What happens: the constructor takes the expression, get_next() gives None for each occurrence. L for the last day of the
# month works, and so does 7L, the last Saturday of the month.
# Consequence: a monitor or a test that computes the next run from the deployed expression holds a weekly job for one that
# has ended. Write 7 or SAT.
#
# Output seen:
#   0 9 ? * L *: None, None
#   0 9 ? * 7 *: 2026-12-12 09:00, 2026-12-19 09:00
#   0 9 ? * 7L *: 2026-12-26 09:00, 2027-01-30 09:00
#   0 9 L * ? *: 2026-12-31 09:00, 2027-01-31 09:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-croniter==2.1.1
"$folder/bin/python" - <<'PYTHON'
from datetime import UTC, datetime

from aws_croniter import AwsCroniter

START = datetime(2026, 12, 7, tzinfo=UTC)
expected = {
    "0 9 ? * L *": ["None", "None"],
    "0 9 ? * 7 *": ["2026-12-12 09:00", "2026-12-19 09:00"],
    "0 9 ? * 7L *": ["2026-12-26 09:00", "2027-01-30 09:00"],
    "0 9 L * ? *": ["2026-12-31 09:00", "2027-01-31 09:00"],
}
for expression, occurrences in expected.items():
    found = [str(occurrence)[:16] for occurrence in AwsCroniter(expression).get_next(START, n=2)]
    print(f"{expression}: {', '.join(found)}")
    assert found == occurrences, "the behaviour has changed"
PYTHON
