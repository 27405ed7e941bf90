"""`make earlier-release`: which commit it takes, and that its functions meet the migrations of this checkout."""

import os
import subprocess
from pathlib import Path

import pytest

from tools import earlier_release

COMMITS = ("functions/old.py", "migrations/first.py"), ("functions/new.py", "migrations/versions/second.py")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits; the second one adds a migration."""
    identity = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    repository = tmp_path / "repository"
    for files in COMMITS:
        for name in files:
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).touch()
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Add"]):
            subprocess.run(["git", *command], cwd=repository, env=os.environ | identity, check=True)
    monkeypatch.setattr(earlier_release, "ROOT", repository)
    return repository


def test_the_functions_from_before_the_newest_migration_meet_it(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "earlier"
    earlier_release.prepare(repository, earlier_release.last_before_a_migration(repository), folder)
    found = {str(file.relative_to(folder)) for file in folder.rglob("*.py")}
    assert found == {"functions/old.py", "migrations/first.py", "migrations/versions/second.py"}


def test_without_such_a_commit_it_ends_with_a_sentence(repository: Path) -> None:
    with pytest.raises(SystemExit, match="COMMIT=0000000: fatal: not a valid object name"):
        earlier_release.main("0000000")
    subprocess.run(["git", "checkout", "-q", "HEAD^"], cwd=repository, check=True)
    with pytest.raises(SystemExit, match="no commit from before the newest migration"):
        earlier_release.main("")
