"""The edge of functions that CloudFormation starts for a custom resource of the stack.

CloudFormation waits until the answer is put at the event's URL, so every event is answered, whatever happens. Shapes:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import http.client
import json
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from threading import Lock, Timer
from typing import Any

from goatedvips import resume_garbage_collection
from goatedvips.postgres_server import AMAZON_ROOTS
from goatedvips.runs import Context, run

type Event = dict[str, Any]

ANSWER_SECONDS = 30.0
"""Before its time-out a function gives up, so that CloudFormation gets its answer."""
LONGEST_REASON = 1000
"""In characters; the whole answer may have 4,096 bytes."""
_TRIES = 5
_TRY_SECONDS = 4.0


def lambda_handler(work: Callable[[], Mapping[str, int]], *, version: str) -> Callable[[Event, Context], None]:
    """Return what Lambda calls. A handler's module ends with this call.

    A deletion does no work, and neither does the roll-back of an update, in which CloudFormation goes back to an
    earlier version of the resource.

    Parameters
    ----------
    work: brings what the resource stands for to the present state. A repetition changes nothing. It returns counts, as
        the work of schedules does; what it raises fails the deployment, and is the reason that CloudFormation shows.
    version: the name of the property that is the ARN of a layer's version, whose number rises with each deployment that
        changes the layer.
    """

    def handler(event: Event, context: Context) -> None:
        answer = Answer(event)
        seconds = context.get_remaining_time_in_millis() / 1000 - ANSWER_SECONDS
        # From another thread, because whatever the work waits for need not be interruptible.
        timer = Timer(seconds, answer.put, [f"it takes longer than {seconds:.0f} s"])
        timer.daemon = True
        timer.start()
        reason = None
        try:
            run(lambda: _work(event, work, version), context, request=event["RequestType"])
        except Exception as error:  # noqa: BLE001 - the answer reports it, and `run` has logged it
            reason = f"{type(error).__name__}: {error}"
        timer.cancel()
        answer.put(reason)

    resume_garbage_collection()
    return handler


def _work(event: Event, work: Callable[[], Mapping[str, int]], version: str) -> Mapping[str, int]:
    if event["RequestType"] == "Delete" or _is_roll_back(event, version):
        return {"left_alone": 1}
    return work()


def _is_roll_back(event: Event, version: str) -> bool:
    """Whether an update leads back: AWS numbers the versions of a layer in the order in which they are published."""
    before = event.get("OldResourceProperties", {}).get(version)
    if before is None:
        return False
    (old_name, _, old_number), (name, _, number) = (
        arn.rpartition(":") for arn in (before, event["ResourceProperties"][version])
    )
    return bool(name == old_name and int(number) < int(old_number))


class Answer:
    """The answer to an event, which is put once.

    Parameters
    ----------
    event: its URL is signed for a request without a content type.
    """

    def __init__(self, event: Event) -> None:
        self._event = event
        self._lock = Lock()
        self._is_put = False

    def put(self, reason: str | None) -> None:
        """Put the answer, unless there was one.

        Parameters
        ----------
        reason: why the work failed; None if it did not.

        Raises
        ------
        OSError, http.client.HTTPException: the URL could not be reached, several times.
        """
        with self._lock:
            if not self._is_put:
                self._put(reason)
            self._is_put = True

    def _put(self, reason: str | None) -> None:
        event = self._event
        body = {
            "Status": "SUCCESS" if reason is None else "FAILED",
            "Reason": (reason or "")[:LONGEST_REASON],
            # Always the same, else CloudFormation would take an update for a replacement, and delete what was before.
            "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
            **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        }
        request = urllib.request.Request(  # noqa: S310 - CloudFormation gives the URL
            event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
        )
        trust = ssl.create_default_context(cafile=AMAZON_ROOTS)
        for tries_left in reversed(range(_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=_TRY_SECONDS, context=trust):  # noqa: S310 - as above
                    return
            except (OSError, http.client.HTTPException):
                if not tries_left:
                    raise
                time.sleep(1)
