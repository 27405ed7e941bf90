"""`make earlier-release`: the functions of an earlier commit on the schema of this checkout.

During each deployment the functions of the release before run on the schema that `migrate` has just made. The commit's
own test of its functions and their sample events runs here with the migrations of this checkout in place of its own.
"""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = "migrations"


def main(commit: str) -> int:
    """Run the functions of COMMIT, and return the status of its test.

    Parameters
    ----------
    commit: as git names it; empty: the one before the newest migration was added.
    """
    chosen = commit or last_before_a_migration(ROOT)
    if not chosen:
        sys.exit("This clone has no commit from before the newest migration: name one with COMMIT=….")
    with tempfile.TemporaryDirectory(prefix="goatedvips-earlier-") as folder:
        prepare(ROOT, chosen, Path(folder))
        print(f"The functions of {chosen} on the schema of this checkout:", flush=True)  # noqa: T201
        command = [sys.executable, "-m", "pytest", "tests/e2e/test_invoke.py", "-q", "-n", "auto"]
        return subprocess.run(command, cwd=folder, check=False).returncode


def last_before_a_migration(repository: Path) -> str:
    """Return the commit before the newest migration was added; empty if the clone lacks it."""
    added = git(repository, "log", "-1", "--diff-filter=A", "--format=%P", "--", f"{MIGRATIONS}/versions")
    parent = added.decode().split()
    return parent[0] if parent else ""


def prepare(repository: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder, with the migrations of the repository's checkout.

    Raises
    ------
    SystemExit: there is no such commit.
    """
    try:
        archive = git(repository, "archive", commit)
    except subprocess.CalledProcessError as error:
        sys.exit(f"COMMIT={commit}: {error.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    shutil.rmtree(folder / MIGRATIONS)
    shutil.copytree(repository / MIGRATIONS, folder / MIGRATIONS)


def git(repository: Path, *words: str) -> bytes:
    """Run git in a repository, and return what it prints."""
    return subprocess.run(["git", *words], cwd=repository, capture_output=True, check=True).stdout  # noqa: S607


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
