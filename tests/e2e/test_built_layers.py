"""What `sam build` makes: small, with nothing that no function imports, and nothing to compile in a cold start."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest

from local.sam import build
from tests.support.databases import bare_server, url
from tests.support.native_build import native_build

__all__ = ["bare_server", "url"]

pytestmark = pytest.mark.xdist_group("sam")

ROOT = Path(__file__).parents[2]
MOST_BYTES = 60_000_000  # of the layer that all functions have
# Imports the handler of every built function from folders that cannot be written, as /opt and /var/task on Lambda, and
# prints which files were imported. What compiles or writes below the build ends it; anyio compiles nothing, but reads
# from the syntax tree of its own source what it imports later.
COLD_START = """
import importlib, json, os, sys
build, runtime, functions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def watch(event, arguments):
    is_compiled = event == "compile" and str(arguments[1]).startswith(("/opt/", "/var/task/", build))
    if is_compiled and not sys._getframe(1).f_code.co_filename.endswith("anyio/_lazyimport.py"):
        sys.stderr.write(f"{arguments[1]} is compiled\\n")
        os._exit(1)
    if event == "open" and str(arguments[0]).startswith(build) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        raise OSError(30, "Read-only file system", arguments[0])

usual, before = [path for path in sys.path if path != runtime], set(sys.modules)
sys.addaudithook(watch)
files = set()
for task, module, layers in functions:
    sys.path[:] = [task, *layers, *usual, runtime]
    importlib.import_module(module).handler
    files |= {getattr(loaded, "__file__", None) for loaded in sys.modules.values()}
print(json.dumps(sorted(file for file in files if file and file.startswith(build))))
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    return native_build()


@pytest.fixture(scope="module")
def layers(folder: Path) -> dict[str, Path]:
    """The folders from which the layers' packages are imported, by the name of the layer."""
    return {path.name: path / "python" for path in folder.glob("*Layer")}


@pytest.fixture(scope="module")
def imported(folder: Path) -> set[Path]:
    """The files below the build that the functions import, all together."""
    functions: list[Any] = [
        (
            str(function.codeuri),
            function.handler.partition(".")[0],
            [f"{layer.codeuri}/python" for layer in function.layers],
        )
        for function in build._functions(folder)
    ]
    variables = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgresql://api@127.0.0.1:1/nowhere",
        "AWS_REGION": "us-east-1",
    }
    runtime = sysconfig.get_path("purelib")  # Lambda's own has boto3 behind the layers
    command = [sys.executable, "-S", "-c", COLD_START, str(folder), runtime, json.dumps(functions)]
    done = subprocess.run(command, cwd="/", env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {Path(file) for file in json.loads(done.stdout)}


def test_a_cold_start_of_any_function_compiles_and_writes_nothing(imported: set[Path], folder: Path) -> None:
    handlers = {function.handler.partition(".")[0] for function in build._functions(folder)}
    assert len(handlers) > 80
    assert handlers <= {file.stem for file in imported}


def test_a_function_has_its_handler_and_the_files_of_its_name(folder: Path) -> None:
    openapi = {"GetOpenapiFunction": {"openapi.json"}}
    for function in build._functions(folder):
        module = function.handler.partition(".")[0]
        names = {file.name for file in Path(function.codeuri).rglob("*") if file.is_file()}
        code = {f"{module}.py", f"{module}.cpython-313.pyc"}
        pages = {file.name for file in (ROOT / "functions").glob(f"*/{module}.*")}
        assert names == code | pages | openapi.get(function.name, set())


def test_the_layer_of_all_functions_is_small(layers: dict[str, Path]) -> None:
    sizes = [file.stat().st_size for file in layers["SharedLayer"].rglob("*") if file.is_file()]
    assert sum(sizes) < MOST_BYTES
    assert sum(sizes) > MOST_BYTES / 4


def packages(distribution: Distribution, layer: Path) -> Iterator[Path]:
    """What of a distribution is in a layer; the lists of files are not."""
    name = str(distribution.metadata["Name"]).replace("-", "_")
    known = {"python_dateutil": "dateutil", "argon2_cffi": "argon2", "argon2_cffi_bindings": "_argon2_cffi_bindings"}
    yield from (path for path in (layer / known.get(name, name), layer / f"{name}.py") if path.exists())


def test_every_package_of_the_layer_of_all_functions_is_imported(layers: dict[str, Path], imported: set[Path]) -> None:
    by_the_first_request = {"argon2", "_argon2_cffi_bindings", "scramp", "asn1crypto", "dateutil", "tzdata"}
    layer = layers["SharedLayer"]
    found = {place for path in layer.glob("*.dist-info") for place in packages(PathDistribution(path), layer)}
    assert len(found) > len(by_the_first_request)
    unused = {place.name for place in found if not any(place in (file, *file.parents) for file in imported)}
    assert unused == by_the_first_request & unused


def test_no_layer_has_boto3_tests_or_what_only_tests_need(layers: dict[str, Path]) -> None:
    assert layers.keys() == {"SharedLayer", "AffiliateLayer", "MarkdownLayer", "PushLayer", "MigrationsLayer"}
    for layer in layers.values():
        names = {path.name for path in layer.rglob("*")}
        assert not names & {"boto3", "botocore", "tests", "testing", "pycparser", "cffi", "relations.py", "RECORD"}


def test_the_packages_of_one_function_are_in_no_layer_of_all(layers: dict[str, Path]) -> None:
    names = {path.name for path in layers["SharedLayer"].iterdir()}
    assert not names & {"httpx", "httpcore", "stamina", "alembic", "cryptography", "markdown_it", "nh3", "py_vapid"}


def test_a_password_is_hashed_with_what_the_layer_has(layers: dict[str, Path]) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import argon2; print(argon2.PasswordHasher().hash('goat')[:9])"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(layers["SharedLayer"])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "$argon2id"


def test_a_push_message_is_encrypted_and_signed_with_what_the_layers_have(layers: dict[str, Path]) -> None:
    program = """
import sys
sys.path[:0] = sys.argv[1:]
from datetime import UTC, datetime
from goatedvips.clients import push_encryption, vapid, web_push
from goatedvips.push_services import decode_base64url, encode_base64url
signer = vapid.Signer(encode_base64url(bytes(31) + b"\\x07"), "hello@example.com")
assert signer.authorize("https://fcm.googleapis.com", datetime.now(UTC)).startswith("vapid ")
print(len(push_encryption.encrypt(b"goat", decode_base64url(signer.public_key), bytes(16))))
"""
    command = [sys.executable, "-I", "-S", "-c", program, str(layers["SharedLayer"]), str(layers["PushLayer"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(86 + len("goat") + 17), done.stderr


def test_migrate_migrates_an_empty_database_with_what_its_layers_have(folder: Path, url: str) -> None:
    program = "import sys; sys.path = [*sys.argv[2:], *sys.path, sys.argv[1]]; import migrate; print(migrate.migrate())"
    (function,) = (function for function in build._functions(folder) if function.name == "MigrateFunction")
    path = [str(function.codeuri), *(f"{layer.codeuri}/python" for layer in function.layers)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, sysconfig.get_path("purelib"), *path],
        cwd="/",
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "{'migrated': 1}", done.stderr
