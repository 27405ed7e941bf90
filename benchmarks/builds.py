"""Builds of this checkout and of an earlier commit, as Lambda mounts them, for benchmarks that compare the two.

The layer is built by `shared/Makefile`, as `sam build` does it: with bytecode, for this machine's processor. Functions
are copied without bytecode. Nothing may be written beside either at run time (`benchmarks.runtime`), so a start
compiles what Lambda would compile.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from local.sam.build import native_architecture

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "2068b2176f24304efb95a6f9e2d15c73abb54635"
"""The commit that this checkout is compared with: the last one before the work on speed that these benchmarks show."""
RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The packages of Lambda's Python runtime that its process imports; the layer has none of them."""


@dataclass(frozen=True)
class Build:
    """What Lambda would run.

    Parameters
    ----------
    name: `this build` or `baseline`.
    checkout: the sources, whose migrations make the build's database.
    functions: the folder with one folder for each domain (`CodeUri`).
    layer: the folder that Lambda mounts at /opt/python.
    """

    name: str
    checkout: Path
    functions: Path
    layer: Path

    def folder(self, function: str) -> Path:
        """Return the folder of a function, such as `spin_wheel`.

        Raises
        ------
        SystemExit: the build has no such function.
        """
        for file in self.functions.glob(f"*/{function}.py"):
            return file.parent
        raise SystemExit(f"The build {self.name!r} has no function {function!r}.")


@contextmanager
def build_both(folder: Path) -> Iterator[list[Build]]:
    """Build this checkout and the baseline; the list has only this checkout if the clone lacks the baseline's commit.

    Parameters
    ----------
    folder: where the builds are written.
    """
    with ExitStack() as resources:
        made = [build("this build", ROOT, folder / "this")]
        if has_commit(BASELINE):
            checkout = resources.enter_context(worktree(BASELINE, folder / "baseline-checkout"))
            made.append(build("baseline", checkout, folder / "baseline"))
        else:
            print(f"This clone lacks the baseline's commit {BASELINE[:7]}, so its columns are empty.", flush=True)
        yield made


def build(name: str, checkout: Path, folder: Path) -> Build:
    """Build the layer of a checkout with the packages of its own requirements, and copy its functions."""
    functions = folder / "functions"
    layer = build_layer(checkout, folder / "layer")
    shutil.copytree(checkout / "functions", functions, ignore=shutil.ignore_patterns("__pycache__"))
    return Build(name, checkout, functions, layer)


def build_layer(checkout: Path, folder: Path, *variables: str) -> Path:
    """Build the layer of a checkout, and return the folder with its packages.

    Parameters
    ----------
    variables: of the layer's Makefile, as `NAME=value`.
    """
    folder.mkdir(parents=True)
    command = ["make", "--silent", "-C", str(checkout / "shared"), "build-SharedLayer"]
    uv = Path(sys.executable).with_name("uv")
    command += [f"ARTIFACTS_DIR={folder}", f"UV={uv}", f"PYTHON={sys.executable}", *variables]
    subprocess.run([*command, f"LAYER_ARCHITECTURE={native_architecture()}"], check=True, stdout=subprocess.DEVNULL)
    return folder / "python"


def has_commit(commit: str) -> bool:
    """Whether this clone has a commit; a shallow one may not."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, check=False
    )
    return found.returncode == 0


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into a folder, for the length of a block."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def copy_runtime_client(folder: Path) -> Path:
    """Copy Lambda's runtime client with bytecode into a folder of its own, and return it.

    The environment of `make` has many more packages: a process that saw them could import what the layer lacks.
    """
    for name in RUNTIME_CLIENT:
        package = distribution(name)
        for file in package.files or ():
            if "__pycache__" not in file.parts and ".dist-info" not in file.parts[0]:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(package.locate_file(file)), target)
    compile_all(folder)
    return folder


def compile_all(folder: Path) -> None:
    """Compile the modules of a folder as `shared/Makefile` compiles the layer's."""
    options = ("-q", "--invalidation-mode", "unchecked-hash")
    subprocess.run([sys.executable, "-m", "compileall", *options, str(folder)], check=True)
