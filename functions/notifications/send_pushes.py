"""When a batch of push messages was put into the bucket: send them, and put what the push services answered.

Its results start record_pushes. This function runs outside the VPC, and uses no database.
"""

from collections import Counter

from goatedvips import push_delivery
from goatedvips.clients import push_batches
from goatedvips.clock import utc_now
from goatedvips.events import lambda_handler
from goatedvips.runs import seconds_left

RESERVED_SECONDS = 30.0  # no request begins with less time left: one may take 10 s, and then the results are stored
SUCCESS = range(200, 300)


def send_pushes(key: str) -> Counter[str]:
    done = Counter(sent=0, refused=0, not_sent=0, repeated=0)
    batch = push_batches.read_pushes(key)
    if push_batches.has_results(batch.batch):
        done["repeated"] = 1
        return done
    results = push_delivery.deliver(batch.pushes, now=utc_now(), seconds=seconds_left() - RESERVED_SECONDS)
    push_batches.put_results(batch.batch, results)
    done.update("sent" if r.status in SUCCESS else "refused" if r.status else "not_sent" for r in results)
    return done


handler = lambda_handler(send_pushes, prefix=push_batches.OUT)
