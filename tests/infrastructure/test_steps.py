"""Every migration is described where an adoption shows it and where a lost revision is found again."""

from alembic.script import ScriptDirectory

from database.adopt import LOCKS
from database.checks.revision import LAST_MADE
from tests.infrastructure.project import ROOT


def test_every_step_has_its_locks_and_its_last_change() -> None:
    steps = [step.revision for step in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()][::-1]
    assert list(LOCKS) == steps
    assert ["guide_tables", *LAST_MADE] == steps
