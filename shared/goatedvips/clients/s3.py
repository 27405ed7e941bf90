"""The client of Amazon S3, for the bucket through which data enters and leaves the VPC."""

from functools import cache
from typing import Any


@cache
def client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    """Return boto3's client, made at its first use."""
    import boto3  # importing it takes 300 ms
    from botocore.config import Config

    limits = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("s3", config=limits)
