"""The handlers that benchmarks run: of a build, and the peers' with the same duties."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks.builds import ROOT, Build, build_both, build_layer, compile_all, copy_runtime_client
from benchmarks.runtime import Invocation, InvocationFailed, Runtime
from benchmarks.workload import Workload, prepare
from database.embedded import running

GROUP = "bench"
"""The dependency group of pyproject.toml with what only peers import."""


@dataclass(frozen=True)
class Subject:
    """A handler with all that its process needs.

    Parameters
    ----------
    function: the name of the function, whose sample event the workload sends.
    folder, handler, path, variables: as `Runtime` takes them.
    """

    function: str
    workload: Workload
    folder: Path
    handler: str
    path: tuple[Path, ...]
    variables: dict[str, str]

    def start(self) -> Runtime:
        """Return the process, to be entered as a context."""
        return Runtime(self.folder, self.handler, self.path, self.variables)

    def send(self, runtime: Runtime) -> Invocation:
        """Send the next member's event to the process.

        Raises
        ------
        InvocationFailed: the answer is a refusal, so the work that is measured was not done.
        """
        invocation = runtime.invoke(self.workload.next_event(self.function))
        answer = invocation.answer
        served = answer["statusCode"] < HTTPStatus.MULTIPLE_CHOICES if "statusCode" in answer else answer["context"]
        if not served or "undecided" in answer.get("context", {}):
            raise InvocationFailed(f"{self.handler} refused: {answer}")
        return invocation


@dataclass(frozen=True)
class Bench:
    """Builds with their databases, and a folder for what the peers need.

    Parameters
    ----------
    builds: this checkout's first; the baseline's second, if the clone has its commit.
    workloads: the database of each build.
    client: the folder with Lambda's runtime client.
    """

    folder: Path
    builds: list[Build]
    workloads: list[Workload]
    client: Path

    def this(self, function: str) -> Subject:
        """Return a handler of this build."""
        return self._subject(0, function)

    def baseline(self, function: str) -> Subject | None:
        """Return a handler of the baseline; None if the clone lacks its commit."""
        return self._subject(1, function) if len(self.builds) > 1 else None

    def _subject(self, number: int, function: str) -> Subject:
        build, workload = self.builds[number], self.workloads[number]
        variables = workload.variables(build, function)
        path = (build.layer, self.client)
        return Subject(function, workload, build.folder(function), f"{function}.handler", path, variables)

    def naive(self, function: str) -> Subject:
        """Return the handler of the same duties with Powertools and the ORM. Its packages are those of this build."""
        folder = self.folder / "naive"
        if not folder.exists():
            build_layer(ROOT, folder, "UNUSED=pycparser")  # the ORM stays
        return self._peer("naive", function, folder / "python")

    def pipeline(self, function: str) -> Subject:
        """Return the handler of the same duties that is written by hand for psycopg."""
        packages = self.folder / GROUP
        if not packages.exists():
            install_group(packages)
        return self._peer("pipeline", function, packages)

    def _peer(self, name: str, function: str, packages: Path) -> Subject:
        """Return a peer's handler, on this build's database.

        A peer's modules have bytecode, as if they were in its layer: several handlers share them.
        """
        folder = self.folder / "peers"
        if not folder.exists():
            peers = Path(__file__).with_name("peers")
            shutil.copytree(
                peers, folder / "benchmarks" / "peers", ignore=shutil.ignore_patterns("express", "__pycache__")
            )
            compile_all(folder)
        this = self.this(function)
        handler = f"benchmarks.peers.{name}.{function}.handler"
        variables = this.variables | {"DATABASE_URL": this.workload.url}  # the functions' own has no user
        return Subject(function, this.workload, folder, handler, (packages, self.client), variables)


@contextmanager
def prepared(folder: Path, members: int) -> Iterator[Bench]:
    """Build this checkout and the baseline, start PostgreSQL, and make a database for each.

    Parameters
    ----------
    folder: an empty folder, where all of it is written.
    members: how many members each database has.
    """
    with running(folder / "postgres", durable=False) as postgres, build_both(folder) as builds:
        client = copy_runtime_client(folder / "runtime")
        workloads = [prepare(postgres, build, members, build.name.replace(" ", "_")) for build in builds]
        yield Bench(folder, builds, workloads, client)


def install_group(folder: Path) -> None:
    """Install the dependency group of the peers into a folder: no other command needs it, so `.venv` lacks it."""
    uv = str(Path(sys.executable).with_name("uv"))
    requirements = folder.with_suffix(".txt")
    export = ("export", "--quiet", "--locked", "--only-group", GROUP, "--no-header", "--no-annotate")
    subprocess.run([uv, *export, "--output-file", str(requirements)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    mirror = ("--default-index", index) if (index := os.environ.get("PIP_INDEX_URL")) else ()
    install = ("pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), *mirror)
    options = ("--require-hashes", "--only-binary", ":all:", "--requirements", str(requirements))
    subprocess.run([uv, *install, *options], cwd=ROOT, check=True)
    compile_all(folder)
