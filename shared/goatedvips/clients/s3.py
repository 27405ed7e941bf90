"""The client of Amazon S3, for the bucket through which data enters and leaves the VPC."""

from functools import cache
from typing import Any


@cache
def client(read_timeout: float = 30, attempts: int = 4) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return boto3's client, made at its first use.

    Parameters
    ----------
    read_timeout: the longest that it waits for an answer, in seconds.
    attempts: how often it tries.
    """
    import boto3  # importing it takes 300 ms
    from botocore.config import Config

    limits = Config(
        connect_timeout=3, read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": attempts}
    )
    return boto3.client("s3", config=limits)
