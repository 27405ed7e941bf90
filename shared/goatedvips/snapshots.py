"""What happens around the snapshot from which Lambda's SnapStart starts a function many times.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

import os
from collections.abc import Callable


def close_around_snapshots(close: Callable[[], object]) -> None:
    """Let Lambda call `close` before a snapshot is made, and in each process that starts from it.

    A connection in a snapshot would be one that several processes use, and the server has closed it long ago. What is
    closed is opened at its first use, with credentials of the process: under SnapStart they come from an endpoint.

    Parameters
    ----------
    close: closes what the process has open. It may be called at any time, and more than once.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from snapshot_restore_py import register_after_restore, register_before_snapshot  # Lambda's runtime has it

        register_before_snapshot(close)
        register_after_restore(close)
