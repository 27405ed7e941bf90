"""`make sam-invoke`, and the bare `sam local invoke`, up to the request for a container."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from database.embedded import free_port
from local.sam import bridge, build
from tests.support.docker_engine import REFUSAL, DockerEngine, docker_engine
from tests.support.make_run import ROOT, Run, start
from tests.support.native_build import native_build

INVOKE = """
import pathlib, sys
from database import local
local.FOLDER = pathlib.Path(sys.argv[1])
from local.sam.invoke import invoke
sys.exit(invoke(sys.argv[2], None, []))
"""
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""For a process that is started where interrupts are ignored, as in the background of a shell."""
BUILT = """
import sys
from local.sam import build
build.build_native = lambda: print("It is built.", file=sys.stderr)
"""
"""In front of `INVOKE`: `native_build` has built already, so no test waits for a build of its own."""
GATEWAY = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
"""A second IP address of the loopback interface stands for Docker's bridge; `make run` does not listen on it."""
DOCKER_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
pytestmark = pytest.mark.xdist_group("sam")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    started = start(folder)
    yield started
    started.stop()


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    with docker_engine(GATEWAY) as engine:
        yield engine


def environment(engine: DockerEngine, **variables: str) -> dict[str, str]:
    shell = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "APP_URL"}}
    paths = f"{ROOT}{os.pathsep}{ROOT / 'shared'}"
    return shell | {"DOCKER_HOST": engine.host, "SAM_CLI_TELEMETRY": "0", "PYTHONPATH": paths} | variables


def sam_invoke(folder: Path, name: str, engine: DockerEngine, **variables: str) -> subprocess.CompletedProcess[str]:
    native_build()
    return subprocess.run(
        [sys.executable, "-c", BUILT + INVOKE, str(folder), name],
        cwd=ROOT,
        env=environment(engine, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def variables_of(container: dict[str, Any]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in container["Env"])


def test_sam_cli_asks_for_a_container_that_reaches_the_running_database(
    run: Run, folder: Path, engine: DockerEngine
) -> None:
    stray = {"DATABASE_URL": "postgresql://owner@production.example:5432/goatedvips", "AWS_SECRET_ACCESS_KEY": "real"}
    stray |= {"AWS_ACCESS_KEY_ID": "real", "AWS_SESSION_TOKEN": "real"}
    done = sam_invoke(folder, "send_notifications", engine, **stray)
    assert done.returncode == 1
    assert "It is built." in done.stderr
    assert REFUSAL in done.stderr, done.stderr

    (image,) = engine.builds
    assert image["platform"] == DOCKER_PLATFORMS[build.native_architecture()]
    assert f"lambda/python:3.13-{build.native_architecture()}" in image["dockerfile"]
    assert any(name.endswith("python/goatedvips/db.py") for name in engine.layer_files)

    (container,) = engine.containers
    assert container["HostConfig"]["ExtraHosts"] == [f"host.docker.internal:{GATEWAY}"]
    assert container["HostConfig"].get("NetworkMode") != "host"
    variables = variables_of(container)
    database, mail = urlsplit(variables["DATABASE_URL"]), urlsplit(variables["AWS_ENDPOINT_URL_SESV2"])
    assert (database.hostname, mail.hostname) == ("host.docker.internal", "host.docker.internal")
    assert (database.port, mail.port) == (run.database.url.port, urlsplit(run.base).port)
    assert variables["DATABASE_IAM"] == "false"
    assert variables["APP_URL"] == run.base  # where the links in mail lead
    assert variables["AWS_LAMBDA_FUNCTION_TIMEOUT"] == "15"
    assert "real" not in variables.values()


@pytest.mark.skipif(sys.platform != "linux", reason="Docker Desktop reaches the loopback interface by itself")
def test_containers_reach_database_and_mail_over_the_bridge_while_a_command_needs_it(
    run: Run, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    there = sa.create_engine(run.database.url.set(host=GATEWAY, username="api"), poolclass=sa.NullPool)
    ports = [run.database.url.port, urlsplit(run.base).port]
    with bridge.make_reachable([port for port in ports if port]) as host_ip:
        assert host_ip == GATEWAY
        with there.connect() as connection:
            assert connection.scalar(sa.text("select count(*) from users where username = 'lucky_goat'")) == 1
        mails = run.get("/mail.json", host=GATEWAY)
        assert mails.status_code == 200
    with pytest.raises(sa.exc.InterfaceError):
        there.connect()


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_make_run_can_serve_containers(tmp_path: Path, engine: DockerEngine) -> None:
    run = start(tmp_path, DOCKER="true", DOCKER_HOST=engine.host)
    try:
        assert run.get("/v1/health", host=GATEWAY).status_code == 200
        done = sam_invoke(tmp_path, "spin_wheel", engine)  # which starts no second forwarder
        assert REFUSAL in done.stderr, done.stderr
    finally:
        run.stop()
    assert not (tmp_path / "run.json").exists()


def test_the_api_is_served_from_such_containers(run: Run, folder: Path, tmp_path: Path, engine: DockerEngine) -> None:
    port = free_port()
    native_build()
    serve = INVOKE.replace("import invoke", "import serve").replace("invoke(sys.argv[2], None, [])", "serve([])")
    printed = tmp_path / "printed"  # a file: nobody reads a pipe while the process ends
    with (
        printed.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE + BUILT + serve, str(folder)],
            cwd=ROOT,
            env=environment(engine, PORT=str(port)),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            while "Running on" not in printed.read_text():
                assert process.poll() is None, printed.read_text()
                time.sleep(0.1)
            answer = httpx.get(f"http://127.0.0.1:{port}/v1/health", timeout=60, trust_env=False)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    assert answer.status_code >= 500  # the stand-in created no container
    assert engine.containers
    assert engine.containers[0]["HostConfig"]["ExtraHosts"] == [f"host.docker.internal:{GATEWAY}"]
    assert urlsplit(variables_of(engine.containers[0])["DATABASE_URL"]).port == run.database.url.port


@pytest.mark.parametrize("processor", ["arm64", "native"])
def test_the_bare_command_asks_for_the_usual_ports(processor: str, tmp_path: Path, engine: DockerEngine) -> None:
    options, architecture = [], build.DEPLOYED_ARCHITECTURE
    if processor == "native":
        options, architecture = ["-t", str(native_build() / "template.yaml")], build.native_architecture()
    else:  # one function: the others would only take time
        bare = [str(build.SAM), "build", "SpinWheelFunction", "--build-dir", str(tmp_path / ".aws-sam/build")]
        subprocess.run(bare, cwd=ROOT, env=environment(engine), capture_output=True, check=True)
    shutil.copy(ROOT / "samconfig.toml", tmp_path)
    event = str(ROOT / "events/spin_wheel.json")
    command = [str(build.SAM), "local", "invoke", "SpinWheelFunction", *options, "-e", event]
    done = subprocess.run(command, cwd=tmp_path, env=environment(engine), capture_output=True, text=True, check=False)
    assert REFUSAL in done.stderr, done.stderr
    (container,) = engine.containers
    assert container["HostConfig"]["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert variables_of(container)["DATABASE_URL"] == "postgresql://host.docker.internal:54320/goatedvips"
    assert engine.builds[0]["platform"] == DOCKER_PLATFORMS[architecture]


def test_without_a_running_platform_it_ends_with_a_sentence(tmp_path: Path, engine: DockerEngine) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"api_port": 1, "database_port": 1, "serves_containers": False}))
    done = sam_invoke(tmp_path, "spin_wheel", engine)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("`make run` is not running in this checkout")


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux the command itself asks Docker")
def test_without_docker_it_ends_with_a_sentence(run: Run, folder: Path, engine: DockerEngine) -> None:
    done = sam_invoke(folder, "spin_wheel", engine, DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 1
    assert "No Docker engine answers" in done.stderr
    assert "Traceback" not in done.stderr
