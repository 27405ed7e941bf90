"""`make staff USER=name`: makes a member staff on the local platform or, with ENV=name, in that environment on AWS.

It invokes the function grant_staff, which has the rules.
"""

import json
import os
import sys
from typing import Any

from tools.environments import stack_name

FUNCTION = "GrantStaffFunction"


def main(origin: str) -> None:
    """Make the member USER staff, and print the outcome.

    Parameters
    ----------
    origin: make's origin of USER. The USER that every shell sets is ignored: only `make staff USER=name` counts.
    """
    name, environment = os.environ.get("USER", ""), os.environ.get("ENV", "")
    if origin != "command line" or not name:
        sys.exit("USER is missing, as in `make staff USER=name`, with ENV=name for an environment on AWS.")
    answer = _on_aws(stack_name(environment), {"username": name}) if environment else _here({"username": name})
    if "errorMessage" in answer:
        sys.exit(f"{answer['errorMessage']}.")
    print(f"{answer['username']} is staff{' now' if answer['granted'] else ' already'}.")  # noqa: T201


def _here(event: dict[str, str]) -> dict[str, Any]:
    """Run the function on the local database, whether or not `make run` is running."""
    from database.local import FOLDER, local_database  # noqa: PLC0415 - they load for a second
    from database.upgrade import upgrade  # noqa: PLC0415
    from local import pool, template  # noqa: PLC0415

    with local_database() as url:
        upgrade(url)
        base = "http://127.0.0.1:3000"
        function = template.load(template.build_parameters(url, base), base).function(FUNCTION)
        workers = pool.Pool([function], FOLDER / "functions.log", limit=1)
        try:
            answer: dict[str, Any] = workers.invoke(function.name, event)
        except pool.FunctionError as error:
            return error.report
        finally:
            workers.stop()
    return answer


def _on_aws(stack: str, event: dict[str, str]) -> dict[str, Any]:
    """Invoke the function of a stack; CloudFormation knows its name."""
    import boto3  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        resource = boto3.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=FUNCTION)
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        answered = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    except (BotoCoreError, ClientError) as error:
        return {"errorMessage": str(error).rstrip(".")}
    answer: dict[str, Any] = json.load(answered["Payload"])
    return answer


if __name__ == "__main__":
    main(sys.argv[1])
