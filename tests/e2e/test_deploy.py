"""`make deploy`: what it says, what it runs, and which versions of functions stay."""

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.sam import build
from tools import costs, deploy, environments

ROOT = Path(__file__).parents[2]
ASSUME = (
    '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
)


def test_make_passes_the_environment_on() -> None:
    command = ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/.ready", "deploy", "ENV=staging"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert '-m tools.deploy "staging"' in done.stdout


@pytest.mark.parametrize(("environment", "reason"), [("", "ENV is missing"), ("moon", "ENV=moon is no environment")])
def test_an_unknown_environment_is_refused_with_a_sentence(environment: str, reason: str) -> None:
    with pytest.raises(SystemExit, match=reason):
        deploy.main(environment)


@pytest.mark.parametrize("status", [0, 3])
def test_it_says_the_costs_then_builds_deploys_and_deletes_old_versions(
    status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        steps.append(" ".join(command[1:]))
        return subprocess.CompletedProcess(command, status)

    def delete(_: object, __: object, stack: str) -> int:
        steps.append(stack)
        return 7

    monkeypatch.setattr(build, "build_deployed", lambda architecture: steps.append(f"build for {architecture}"))
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(deploy, "delete_old_versions", delete)
    if status:
        with pytest.raises(SystemExit, match="3"):
            deploy.main("prod")
    else:
        deploy.main("prod")
    assert steps == ["build for arm64", "deploy --config-env prod", *([] if status else ["goatedvips"])]
    said = capsys.readouterr().out
    assert all(f"${costs.total(number):>9,}" in said for number in range(len(costs.SIZES)))
    assert ("7 old versions" in said) == (status == 0)


def test_an_environment_may_have_the_other_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (ROOT / "samconfig.toml").read_text().replace('"QueryLog=true",', '"Architecture=x86_64",')
    (tmp_path / "samconfig.toml").write_text(config)
    monkeypatch.setattr(environments, "CONFIG", tmp_path / "samconfig.toml")
    assert environments.architecture("staging") == "x86_64"
    assert environments.architecture("prod") == build.DEPLOYED_ARCHITECTURE


@pytest.fixture
def clients() -> Iterator[tuple[Any, Any]]:
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield boto3.client("cloudformation"), boto3.client("lambda")


def code(number: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("work.py", f"def handler(event, context): return {number}")
    return content.getvalue()


def test_only_the_live_version_and_the_one_before_stay(
    clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation, functions = clients
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=ASSUME)["Role"]["Arn"]
    for name in ("spin", "job"):
        functions.create_function(
            FunctionName=name, Runtime="python3.13", Role=role, Handler="work.handler", Code={"ZipFile": code(0)}
        )
    for number in range(1, 6):
        functions.update_function_code(FunctionName="spin", ZipFile=code(number))
        functions.publish_version(FunctionName="spin")
    functions.create_alias(FunctionName="spin", Name="live", FunctionVersion="4")  # 5 failed, and was rolled back
    monkeypatch.setattr(deploy, "_function_names", lambda *_: ["spin", "job"])
    assert deploy.delete_old_versions(cloudformation, functions, "goatedvips") == 2
    versions = functions.list_versions_by_function(FunctionName="spin")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "3", "4", "5"]
    assert deploy.delete_old_versions(cloudformation, functions, "goatedvips") == 0


def test_the_functions_are_those_of_the_stack(clients: tuple[Any, Any]) -> None:
    cloudformation, _ = clients
    template = """{"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "Work": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "python3.13", "Handler": "work.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "FunctionName": "work", "Code": {"ZipFile": "def handler(): ..."}}}
    }}"""
    cloudformation.create_stack(StackName="goats", TemplateBody=template)
    assert list(deploy._function_names(cloudformation, "goats")) == ["work"]
