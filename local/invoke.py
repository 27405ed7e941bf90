"""`make invoke FUNCTION=spin_wheel`: one function on the real Lambda runtime client, without Docker.

The runtime interface emulator is SAM CLI's, the runtime client is `awslambdaric`, which also runs Python handlers on
Lambda. The environment has the variables of template.yaml, and none of the developer's shell but PATH.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from database.embedded import free_port
from database.local import BUCKET_FOLDER, FOLDER, local_database
from database.upgrade import upgrade
from local import demo, running, samples, template
from local.pool import BASE_VARIABLES, Function
from local.ports import API_PORT
from local.sam.build import native_architecture
from local.stand_ins import affiliate, outside

START_SECONDS = 15.0
SERVER_ERROR = 500
PATH = "/2015-03-31/functions/function/invocations"


def find_emulator() -> str:
    """Return the path of the emulator for this machine's processor."""
    package = find_spec("samcli")
    if sys.platform != "linux" or package is None or package.origin is None:
        sys.exit(
            "The runtime interface emulator runs only on Linux. Elsewhere use `make run` for requests, "
            "and `make sam-invoke FUNCTION=…` for one function, in Docker."
        )
    program = Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{native_architecture()}"
    if os.access(program, os.X_OK):
        return str(program)
    FOLDER.mkdir(exist_ok=True)
    copy = FOLDER / "aws-lambda-rie"  # installers do not always preserve the executable bit
    copy.write_bytes(program.read_bytes())
    copy.chmod(0o700)
    return str(copy)


def invoke(function: Function, event: object) -> Any:  # noqa: ANN401  any JSON value
    """Run a function on an event and return its answer. Its log goes to standard error."""
    api, runtime = free_port(), free_port()
    variables = BASE_VARIABLES | {
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in function.import_path),
        "PATH": os.environ.get("PATH", os.defpath),
    }
    command = [find_emulator(), "--log-level", "error"]
    command += [
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{api}",
        "--runtime-api-address",
        f"127.0.0.1:{runtime}",
    ]
    command += [sys.executable, "-m", "awslambdaric", f"{function.file.stem}.{function.attribute}"]
    process = subprocess.Popen(
        command,
        env=variables | function.variables,
        cwd=function.file.parent,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        return _post(f"http://127.0.0.1:{api}{PATH}", event, function.timeout)
    finally:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _post(url: str, event: object, seconds: int) -> Any:  # noqa: ANN401  any JSON value
    """Send the event as soon as the emulator listens."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            answer = httpx.post(url, json=event, timeout=seconds + START_SECONDS, trust_env=False)
        except httpx.ConnectError:
            if time.monotonic() > end:
                sys.exit("The runtime interface emulator did not start.")
            time.sleep(0.02)
            continue
        try:
            return answer.json() if answer.content else None
        except ValueError:  # a message of the emulator, as after a time-out
            return {"errorType": "Runtime.Error", "errorMessage": answer.text.strip()}


@contextmanager
def _stand_ins(base: str | None) -> Iterator[str]:
    """Give the base URL of the stand-ins: `base`, or that of a server for the block."""
    if base is not None:
        yield base
        return
    with outside.serving(
        FOLDER / BUCKET_FOLDER, affiliate.AffiliateApi(affiliate.open_casino(demo.CASINO_ACCOUNTS))
    ) as own:
        yield own


def is_failure(answer: object) -> bool:
    """Return whether an answer is an error of the function, or an HTTP answer with a status of 500 or more."""
    return isinstance(answer, dict) and ("errorType" in answer or answer.get("statusCode", 200) >= SERVER_ERROR)


def main(name: str, file: str | None = None) -> None:
    """Invoke the function, print its answer as JSON, and exit with 1 when it failed."""
    platform = running.find(FOLDER)
    base = f"http://127.0.0.1:{platform.api_port if platform else API_PORT}"
    # Standard output is for the answer. The server of the stand-ins prints its requests.
    with redirect_stdout(sys.stderr), local_database() as url, _stand_ins(base if platform else None) as stand_ins:
        upgrade(url)
        demo.load(url, base)
        values = template.build_parameters(url, base) | template.build_stand_in_parameters(stand_ins)
        values["NotificationsTimeout"] = template.SHORTEST_NOTIFICATIONS_TIMEOUT
        function = template.load(values, base).function(name)
        name = function.file.stem
        event = samples.read_event(Path(file)) if file else samples.prepare_event(name, url, stand_ins)
        answer = invoke(function, event)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    sys.exit(int(is_failure(answer)))


if __name__ == "__main__":
    if len(sys.argv) < 2 or not sys.argv[1]:  # noqa: PLR2004
        sys.exit("Which function? As in `make invoke FUNCTION=spin_wheel`, with EVENT=file.json for another event.")
    main(sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "") or None)  # noqa: PLR2004
