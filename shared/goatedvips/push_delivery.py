"""The way of a batch of push messages to the push services: with the key that browsers subscribed with."""

from collections.abc import Sequence
from datetime import datetime

from goatedvips.alarms import Alarm, alarm
from goatedvips.clients import secrets, web_push
from goatedvips.clients.push_batches import NOT_TRIED, Push, Result
from goatedvips.clients.vapid import Signer
from goatedvips.config import settings


def deliver(pushes: Sequence[Push], *, now: datetime, seconds: float) -> list[Result]:
    """Send push messages, and return the result of each.

    Without a public key there is no push, and nothing is tried. With a private key of another pair nothing is tried
    either: push services would refuse each message, and every member would lose their subscriptions.

    Parameters
    ----------
    now: aware.
    seconds: no request begins later than these after the call.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: AWS Secrets Manager cannot be reached.
    """
    signer = _find_signer() if settings.push_public_key else None
    if signer is not None:
        return web_push.send(pushes, signer, now=now, seconds=seconds, stand_in=settings.push_services_url)
    if settings.push_public_key:
        alarm(Alarm.PUSH_KEY_UNUSABLE, pushes=len(pushes))
    return [Result(push.id, push.attempt, None, None, NOT_TRIED) for push in pushes]


def _find_signer() -> Signer | None:
    """Return who signs for the public key; None if the secret has no private key of it."""
    private_key = secrets.read_secret(settings.push_key_secret, "private_key")
    try:
        signer = Signer(private_key, settings.mail_from)
    except ValueError:
        return None
    return signer if signer.public_key == settings.push_public_key else None
