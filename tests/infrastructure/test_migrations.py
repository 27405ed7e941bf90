"""What has to be written down for each migration, beside the migration itself."""

from database.adopt import LOCKS
from database.checks.revision import LAST_MADE
from database.checks.schema import steps
from goatedvips.models.schema import REVISION
from tests.infrastructure.project import ROOT

STEPS = [step.revision for step in steps().walk_revisions()][::-1]


def test_the_code_expects_the_newest_migration() -> None:
    assert len(STEPS) >= 9
    assert STEPS[-1] == REVISION


def test_db_adopt_says_what_each_migration_locks() -> None:
    assert list(LOCKS) == STEPS


def test_a_lost_revision_is_found_after_each_migration_but_the_first() -> None:
    assert list(LAST_MADE) == STEPS[1:]


def test_the_guide_to_adopting_lists_each_migration() -> None:
    text = (ROOT / "docs/adopting.md").read_text()
    assert [step for step in STEPS if f"| `{step}` |" not in text] == []
