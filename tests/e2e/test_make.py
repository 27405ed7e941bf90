"""The Makefile before its environment exists: its first check, its output, and what it passes to uv."""

import os
import pty
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIRROR = "https://mirror.example/simple"
# Records its arguments and settings instead of installing anything.
UV = """#!/bin/sh
echo "$* certificates=$UV_SYSTEM_CERTS" >> calls
case "$1" in python) ;; *) mkdir -p .venv/bin .venv/lib; ln -sf "$(command -v true)" .venv/bin/python ;; esac
"""
PIP = """#!/bin/sh
exit 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone's Makefile, and no environment."""
    for name in ("Makefile", "uv.lock", "pyproject.toml", ".python-version", "local/__init__.py", "local/ports.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def with_uv(project: Path) -> Path:
    """The same, with a uv that installs nothing."""
    programs = project / ".uv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("uv", UV), ("python", PIP)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o700)
    return project


def environment(**variables: str) -> dict[str, str]:
    ours = {"UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_SYSTEM_CERTS", "MAKEFLAGS", "MAKELEVEL"}
    return {name: value for name, value in os.environ.items() if name not in ours} | variables


def make(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=project, env=environment(**variables), capture_output=True, text=True, check=False
    )


def test_a_layer_is_built_without_an_environment_by_a_uv_that_is_installed_first(project: Path) -> None:
    shutil.copytree(ROOT / "shared", project / "shared", ignore=shutil.ignore_patterns("goatedvips"))
    command = ("--dry-run", "--makefile", "shared/Makefile", "build-AffiliateLayer", "ARTIFACTS_DIR=built")
    for is_there in (False, True):
        if is_there:
            (project / ".uv/bin").mkdir(parents=True)
            (project / ".uv/bin/uv").symlink_to(shutil.which("true") or "")
        done = make(project, *command, PATH="/usr/bin:/bin")
        before, separator, after = done.stdout.partition(f"{project}/.uv/bin/uv pip install")
        assert separator, done.stderr
        assert ("Installing uv" in before) == (not is_there)
        assert "compileall" in after


@pytest.mark.parametrize(("layer", "platform"), [("AffiliateLayer", "x86_64"), ("PushLayer", "aarch64")])
def test_a_layer_is_built_for_the_architecture_that_sam_cli_notes(with_uv: Path, layer: str, platform: str) -> None:
    shutil.copytree(ROOT / "shared", with_uv / "shared", ignore=shutil.ignore_patterns("goatedvips"))
    noted = [
        f'layer_name = "{name}"\narchitecture = "{machine}"\n'
        for name, machine in (("SharedLayer", "arm64"), ("AffiliateLayer", "x86_64"))
    ]
    (with_uv / "build.toml").write_text("\n[layer_build_definitions.1]\n".join(["", *noted]))
    (with_uv / "build" / layer).mkdir(parents=True)
    command = ("--dry-run", "--makefile", "shared/Makefile", f"build-{layer}", f"ARTIFACTS_DIR={with_uv}/build/{layer}")
    assert f"--python-platform {platform}-manylinux_2_28" in make(with_uv, *command).stdout


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text().splitlines()


def test_a_taken_port_is_reported_before_anything_is_installed(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = make(project, "run", f"PORT={port}")
    assert done.returncode != 0
    assert done.stderr.startswith(f"Port {port} is taken")
    assert f"make run PORT={port + 1}" in done.stderr
    assert not (project / ".uv").exists()


def test_each_step_says_what_it_does(with_uv: Path) -> None:
    done = make(with_uv, ".venv/.ready")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Installing the packages of uv.lock")
    assert lines[1].startswith("Compiling the packages")


def test_packages_come_from_the_lock(with_uv: Path) -> None:
    make(with_uv, ".venv/.ready")
    assert [call.split()[0] for call in calls(with_uv)] == ["python", "sync"]
    assert "--locked" in calls(with_uv)[1]
    assert "--quiet" in calls(with_uv)[1]


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_a_mirror_serves_uv_too(with_uv: Path, name: str) -> None:
    done = make(with_uv, ".venv/.ready", **{name: MIRROR})
    assert done.returncode == 0, done.stderr
    installed = calls(with_uv)[-1]
    assert installed.startswith("pip sync")
    assert f"--default-index {MIRROR}" in installed
    assert "--require-hashes" in installed


def test_a_mirror_of_pip_s_configuration_serves_uv_too(with_uv: Path) -> None:
    (with_uv / ".uv/bin/python").write_text(f"#!/bin/sh\necho {MIRROR}\n")
    make(with_uv, ".venv/.ready")
    assert f"--default-index {MIRROR}" in calls(with_uv)[-1]


def test_a_long_step_shows_that_it_goes_on(with_uv: Path) -> None:
    """The longest silence is 5 s: uv shows its own progress, and the compilation of bytecode shows dots."""
    (with_uv / ".uv/bin/uv").write_text(UV.replace('"$(command -v true)"', '"$PWD/slow"'))
    (with_uv / "slow").write_text("#!/bin/sh\nsleep 6\n")
    (with_uv / "slow").chmod(0o700)
    assert "to bytecode .…" in make(with_uv, ".venv/.ready").stdout


@pytest.mark.skipif(not Path("/etc/ssl/certs/ca-certificates.crt").exists(), reason="ca-certificates is not installed")
def test_uv_trusts_the_system_s_certificate_authorities(with_uv: Path) -> None:
    make(with_uv, ".venv/.ready")
    assert all(call.endswith("certificates=true") for call in calls(with_uv))


def test_uv_shows_its_progress_on_a_terminal(with_uv: Path) -> None:
    ours, terminal = pty.openpty()
    command = ["make", "--no-print-directory", ".venv/.ready"]
    subprocess.run(command, cwd=with_uv, env=environment(), stdout=terminal, stderr=terminal, check=True)
    os.close(terminal)
    os.close(ours)
    (sync,) = (call for call in calls(with_uv) if call.startswith("sync"))
    assert "--quiet" not in sync


def test_a_failed_installation_names_the_settings_that_help(with_uv: Path) -> None:
    (with_uv / ".uv/bin/uv").write_text("#!/bin/sh\nexit 1\n")
    done = make(with_uv, ".venv/.ready")
    assert done.returncode != 0
    assert "Python 3.13 was not found" in done.stderr
    assert not (with_uv / ".venv/.ready").exists()


def test_an_unknown_benchmark_is_answered_with_the_list_of_benchmarks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no benchmark 'nope'. There are: ")
    assert {"imports", "timing"} <= set(done.stderr.rstrip(".\n").partition("There are: ")[2].split(", "))
