"""`make staff`: here beside a running platform, and on AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import sqlalchemy as sa
from moto import mock_aws
from moto.awslambda_simple.models import lambda_simple_backends

from database import local
from database.upgrade import upgrade
from goatedvips.models.accounts import users
from tests.support.members import Members
from tools import staff

ROOT = Path(__file__).parents[2]
START = """
import pathlib, sys
from database import local
from tools import staff
local.FOLDER = pathlib.Path(sys.argv[1])
staff.main(sys.argv[2])
"""


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let make print its recipe instead of running it."""
    command = ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/.ready", "staff", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False)


def grant(folder: Path, name: str, *, origin: str = "command line") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, str(folder), origin],
        cwd=ROOT,
        env=os.environ | {"USER": name, "ENV": "", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "origin"),
    [((), "environment"), (("-e",), "environment"), (("USER=ann",), "command line")],
)
def test_only_a_user_on_the_command_line_counts(arguments: tuple[str, ...], origin: str) -> None:
    assert f'-m tools.staff "{origin}"' in make(*arguments, USER="root").stdout


def test_a_member_becomes_staff_while_the_database_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "FOLDER", tmp_path)
    with local.local_database() as url:
        upgrade(url)
        engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+pg8000"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        member = Members(engine).new()
        for word in ("now", "already"):
            done = grant(tmp_path, member.username)
            assert (done.returncode, done.stdout) == (0, f"{member.username} is staff {word}.\n"), done.stderr
        with engine.connect() as connection:
            assert connection.scalar(sa.select(users.c.is_admin).where(users.c.id == member.id)) is True
        for refused, reason in (("nobody", "There is no member 'nobody'."), ("", "USER is missing")):
            done = grant(tmp_path, refused)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(reason)
            assert "Traceback" not in done.stderr
        assert grant(tmp_path, "nobody", origin="environment").stderr.startswith("USER is missing")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A stack with the function, and what the function answers."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
        code = {"ZipFile": "def handler(event, context): ..."}
        function = {"Runtime": "python3.13", "Handler": "grant_staff.handler", "Code": code}
        resources = {
            "Role": role,
            staff.FUNCTION: {
                "Type": "AWS::Lambda::Function",
                "Properties": function | {"Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
        }
        template = json.dumps({"Resources": resources})
        boto3.client("cloudformation").create_stack(StackName="goatedvips", TemplateBody=template)
        answers: Any = lambda_simple_backends["123456789012"]["us-east-1"].lambda_simple_results_queue
        monkeypatch.setenv("USER", "ann")
        monkeypatch.setenv("ENV", "prod")
        yield answers


def test_on_aws_it_invokes_the_function_of_the_stack(stack: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    stack.append(json.dumps({"user_id": 1, "username": "ann", "granted": True}))
    staff.main("command line")
    assert capsys.readouterr().out == "ann is staff now.\n"


def test_an_error_on_aws_is_reported_as_a_sentence(stack: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stack.append(json.dumps({"errorType": "NotFound", "errorMessage": "There is no member 'ann'"}))
    with pytest.raises(SystemExit, match=r"^There is no member 'ann'\.$"):
        staff.main("command line")
    monkeypatch.setenv("ENV", "staging")
    with pytest.raises(SystemExit, match="goatedvips-staging does not exist"):
        staff.main("command line")
    monkeypatch.setenv("ENV", "sheep")
    with pytest.raises(
        SystemExit, match=r"^ENV=sheep is no environment of samconfig.toml. There are: staging, prod\.$"
    ):
        staff.main("command line")
