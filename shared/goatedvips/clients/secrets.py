"""The client of AWS Secrets Manager, for the functions outside the VPC that have a secret."""

import json
from functools import cache
from typing import Any


def read_secret(secret: str, field: str) -> str:
    """Return a field of a secret, which is a JSON object. It is read each time, so a new value needs no deployment.

    Parameters
    ----------
    secret: its ARN or name.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: there is none, or AWS cannot be reached.
    KeyError, ValueError: the secret has no such field, or is no JSON.
    """
    return str(json.loads(_client().get_secret_value(SecretId=secret)["SecretString"])[field])


@cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    import boto3  # importing it takes 300 ms
    from botocore.config import Config

    limits = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("secretsmanager", config=limits)
