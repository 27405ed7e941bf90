"""`make deploy ENV=prod`: builds, deploys, and deletes the versions of functions that nobody goes back to.

Lambda keeps each published version, and SnapStart costs as long as a version exists.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import costs
from tools.environments import architecture, stack_name

SAM = Path(sys.executable).parent / "sam"
KEPT_BEFORE_LIVE = 1
"""The number of versions before the live one that stay, for a roll-back."""


def main(environment: str) -> None:
    """Deploy to ENV, after printing what it costs."""
    if not environment:
        sys.exit("ENV is missing, as in `make deploy ENV=staging`.")
    stack = stack_name(environment)
    say(f"The stack {stack} costs about, a month at list prices (docs/operations.md has the arithmetic):")
    for number, size in enumerate(costs.SIZES):
        say(f"  {size:<20} ${costs.total(number):>9,}")
    from local.sam import build  # noqa: PLC0415 - it loads for a second

    build.build_deployed(architecture(environment))
    command = [str(SAM), "deploy", "--config-env", environment]
    done = subprocess.run(command, env=os.environ | {"SAM_CLI_TELEMETRY": "0"}, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    import boto3  # noqa: PLC0415 - as above

    deleted = delete_old_versions(boto3.client("cloudformation"), boto3.client("lambda"), stack)
    say(f"Deployed. {deleted} old versions of functions were deleted.")


def delete_old_versions(cloudformation: Any, functions: Any, stack: str) -> int:  # noqa: ANN401 - boto3's clients
    """Delete the versions of a stack's functions but the live one, later ones and the one before; return how many."""
    deleted = 0
    for name in _function_names(cloudformation, stack):
        live = {int(alias["FunctionVersion"]) for alias in functions.list_aliases(FunctionName=name)["Aliases"]}
        if not live:
            continue
        pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [int(v["Version"]) for page in pages for v in page["Versions"] if v["Version"] != "$LATEST"]
        before = sorted(version for version in versions if version < min(live))
        for version in before[:-KEPT_BEFORE_LIVE]:
            functions.delete_function(FunctionName=name, Qualifier=str(version))
            deleted += 1
    return deleted


def _function_names(cloudformation: Any, stack: str) -> Iterator[str]:  # noqa: ANN401 - boto3's client
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::Lambda::Function":
                yield resource["PhysicalResourceId"]


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
