"""`make sam-invoke FUNCTION=spin_wheel`, `make sam-api`: functions in Docker containers, beside a running `make run`.

SAM CLI runs each function in AWS's image of the Lambda runtime. These commands build for this machine's processor and
give SAM CLI what it needs to reach the database and the mail catcher of `make run`, whatever their ports are.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from database.embedded import Server
from database.local import FOLDER
from local import running, samples, template
from local.invoke import is_failure
from local.pool import BASE_VARIABLES
from local.ports import HOST, chosen_port
from local.sam import bridge, build

API_PORT = 3001  # beside `make run`, which has 3000


def invoke(name: str, file: str | None, options: list[str]) -> int:
    """Run a function on an event in a container, print its answer as JSON, and return the status to exit with."""
    platform = _find_platform()
    plan = template.load(template.build_container_parameters(platform.database_port, platform.api_port), "")
    function = plan.function(name)
    url = Server(platform.database_port).url()
    base = f"http://{HOST}:{platform.api_port}"
    event = samples.read_event(Path(file)) if file else samples.prepare_event(function.file.stem, url, base)
    _build()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as sample, _make_reachable(platform) as host_ip:
        json.dump(event, sample)
        sample.flush()
        command = [*_compose_command("invoke", host_ip, platform), function.name, "--event", sample.name, *options]
        status, output = _run(command, _compose_environment(plan), stdout=subprocess.PIPE)
    if status != 0:
        return status
    try:
        answer = json.loads(output)
    except ValueError:  # SAM CLI exits with 0 when a container gave no answer
        print(output, end="")
        print("The container gave no answer.", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return int(is_failure(answer))


def serve(options: list[str]) -> int:
    """Serve the API of template.yaml from containers until Ctrl-C, and return the status to exit with."""
    port = chosen_port(API_PORT, "make sam-api")
    platform = _find_platform()
    _build()
    plan = template.load(template.build_container_parameters(platform.database_port, platform.api_port), "")
    with _make_reachable(platform) as host_ip:
        command = [*_compose_command("start-api", host_ip, platform), "--port", str(port), *options]
        status, _ = _run(command, _compose_environment(plan))
    return status


def _run(command: list[str], environment: dict[str, str], stdout: int | None = None) -> tuple[int, str]:
    """Run SAM CLI; return its status and what it wrote to a pipe.

    SAM CLI has a session of its own, so Ctrl-C reaches it once, and it has time to remove its containers.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with subprocess.Popen(
        command, env=environment, cwd=template.ROOT, stdout=stdout, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate()
    return process.returncode, output or ""


def _find_platform() -> running.Running:
    """Return the running platform, or end the program with a sentence."""
    platform = running.find(FOLDER)
    if platform is None:
        raise SystemExit("`make run` is not running in this checkout: start it in another terminal, then try again.")
    return platform


def _build() -> None:
    """Bring the native build up to date."""
    print(f"Building for {build.native_architecture()} …", file=sys.stderr, flush=True)
    build.build_native()


@contextmanager
def _make_reachable(platform: running.Running) -> Iterator[str]:
    """Yield what `host.docker.internal` must be mapped to; `make run DOCKER=true` has its own forwarder."""
    ports = () if platform.serves_containers else (platform.api_port, platform.database_port)
    with bridge.make_reachable(ports) as host_ip:
        yield host_ip


def _compose_command(command: str, host_ip: str, platform: running.Running) -> list[str]:
    """Return the start of a `sam local` command line. Its options replace the values in samconfig.toml."""
    values = template.build_container_parameters(platform.database_port, platform.api_port)
    pairs = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return [
        *(str(build.SAM), "local", command),
        *("--template", str(build.NATIVE / "build" / "template.yaml")),
        *("--add-host", f"{template.CONTAINER_HOST}:{host_ip}"),
        *("--parameter-overrides", " ".join(pairs)),
        *("--region", BASE_VARIABLES["AWS_REGION"]),
    ]


def _compose_environment(plan: template.Template) -> dict[str, str]:
    """Return SAM CLI's environment.

    SAM CLI passes the developer's AWS credentials to the container, and prefers a variable of the shell to the
    template's value: a DATABASE_URL that was exported for `make db-check` would lead functions to that database.
    """
    of_functions = {name for function in plan.functions for name in function.variables}
    shell = {
        name: value
        for name, value in os.environ.items()
        if name not in of_functions | {"AWS_PROFILE", "AWS_SESSION_TOKEN"}
    }
    keys = {name: value for name, value in BASE_VARIABLES.items() if name.startswith("AWS_ACCESS") or "SECRET" in name}
    return shell | keys | {"SAM_CLI_TELEMETRY": "0"}


if __name__ == "__main__":
    extra = shlex.split(os.environ.get("ARGS", ""))
    try:
        match sys.argv[1:]:
            case ["start-api"]:
                sys.exit(serve(extra))
            case ["invoke", str(name), str(file)] if name:
                sys.exit(invoke(name, file or None, extra))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit("Which function? As in `make sam-invoke FUNCTION=spin_wheel`, with EVENT=file.json for another event.")
