"""Very many people leave a campaign between the moment it is queued and the moment its mail is sent.

They unsubscribe, bounce, complain, exclude themselves from play or are suspended. The campaign has a limit a day, and
staff pause and resume it. Its queueing runs once, twice, from two connections at once, or in a process that is killed.
Whoever left in time gets nothing, everybody else gets exactly one mail, and a paused campaign sends nothing.
"""

import random
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import exclusions
from goatedvips.domain.newsletter import campaign_changes, campaign_ends, queueing, unsubscribing
from goatedvips.domain.newsletter.queueing import Due
from goatedvips.domain.notifications import bounces, composing, sending, unsubscribe_tokens
from goatedvips.domain.notifications.bounces import MailEvent
from goatedvips.domain.notifications.composing import Links
from goatedvips.domain.notifications.deciding import Defer, Drop
from tests.simulations.runner import Runner
from tests.support.campaigns import SEND_AT, Campaigns
from tests.support.members import Member, Members
from tests.support.stack import Stack

KILLS = 3  # processes that queue
STAY = 4  # for so many who leave, one subscriber stays
PORTIONS = 3  # into which the limit a day divides the audience
BATCH, RATE = 14, 1000
PAUSE_CHANCE = 0.1  # after a batch
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
LINKS = Links("https://vip.example", "https://vip.example/tickets", "")
LIFETIME = timedelta(days=10_000)


def run(servers: Stack, name: str, *, size: int, seed: int, kills: int = KILLS) -> str:
    """Send a campaign while people leave it, and look at who got it. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: how many people leave, of whom some have their mail already.
    seed: of the pseudo-random choices.
    """
    owner = sa.create_engine(
        servers.direct(name).replace("postgresql:", "postgresql+pg8000:"), isolation_level="AUTOCOMMIT"
    )
    runner = Runner(servers, name, random.Random(f"runner {seed}"), kills)
    try:
        story = _Story(runner, random.Random(seed), Campaigns(owner), Members(owner), size)
        story.play()
    finally:
        runner.close()
        owner.dispose()
    sent, left = len(story.sent), Counter(story.left.values())
    assert left.total() == size
    return (
        f"{size} people left: {', '.join(f'{count} {way}' for way, count in sorted(left.items()))}; "
        f"{sent} got the campaign, {story.pauses} pauses, {runner.counts['killed']} processes killed"
    )


@dataclass
class _Story:
    runner: Runner
    chance: random.Random
    campaigns: Campaigns
    members: Members
    size: int
    sent: dict[str, datetime] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    """How each who left did so."""
    pauses: int = 0

    def play(self) -> None:
        """Queue and send the campaign to its end."""
        self.campaigns.clear()
        total = self.size + max(1, self.size // STAY)
        emails = self.campaigns.subscribe(total)
        self.to_leave = self.chance.sample(emails, self.size)
        accounts = self.to_leave[::4]
        self.accounts = {email: self._account(email) for email in accounts}
        staff = self.members.staff(session_lifetime=LIFETIME)
        self.staff = Caller(staff.id, staff.session_id, "simulation")
        self.campaign_id = self.campaigns.new(per_day=-(-total // PORTIONS))
        self.now = SEND_AT
        for _ in range(PORTIONS):
            self._queue()
            self._leave(self.size // PORTIONS)
            self._send()
            self.now += DAY + MINUTE
        self._leave(self.size)
        self.runner.once(partial(campaign_ends.settle, now=self.now), "jobs")
        self._check(emails)

    def _account(self, email: str) -> Member:
        return self.members.new(email=email, email_key=email, seeds=False, session_lifetime=LIFETIME)

    def _queue(self) -> None:
        job = partial(queueing.queue, due=Due(self.campaign_id, "newsletter"), now=self.now)
        self.runner.run(job, "jobs")
        assert self.campaigns.row(self.campaign_id).status == "sending"

    def _leave(self, count: int) -> None:
        """Let the next people leave, each in a way of their own."""
        ways: dict[str, Callable[[str, Connection], object]] = {
            "unsubscribed": self._unsubscribe,
            "bounced": partial(self._report, "bounced"),
            "complained": partial(self._report, "complained"),
        }
        with_account = {"excluded": self._exclude, "suspended": self._suspend}
        for _ in range(min(count, len(self.to_leave))):
            email = self.to_leave.pop()
            chosen = with_account if email in self.accounts else ways
            self.left[email] = self.chance.choice(sorted(chosen))
            self.runner.once(partial(chosen[self.left[email]], email))

    def _unsubscribe(self, email: str, connection: Connection) -> None:
        token = unsubscribe_tokens.sign(connection, "newsletter", email)
        unsubscribing.unsubscribe(connection, token, now=self.now)

    def _report(self, effect: Any, email: str, connection: Connection) -> None:
        event = MailEvent(effect, (email,), self.now, secrets.token_hex(8), None)
        bounces.record(connection, secrets.token_hex(8), event, now=self.now)

    def _exclude(self, email: str, connection: Connection) -> None:
        member = self.accounts[email]
        exclusions.exclude(connection, Caller(member.id, member.session_id, "simulation"), 1, now=self.now)

    def _suspend(self, email: str, _: Connection) -> None:
        self.members.change(self.accounts[email], suspended_at=self.now)

    def _send(self) -> None:
        """Send what waits, a batch at a time; between two batches staff may pause the campaign and resume it."""
        while taken := self._lease():
            for mail in taken:
                self._deliver(mail)
            self.now += SECOND
            if self.chance.random() < PAUSE_CHANCE:
                self._set_status("paused")
                assert self._lease() == []
                self._set_status("sending")
                self.pauses += 1

    def _lease(self) -> list[sending.Mail]:
        return self.runner.once(partial(sending.lease, batch=BATCH, rate=RATE, now=self.now))

    def _deliver(self, mail: sending.Mail) -> None:
        message = self.runner.once(partial(composing.compose, mail=mail, links=LINKS, now=self.now))
        assert not isinstance(message, Defer)
        if isinstance(message, Drop):
            assert mail.email in self.left
            self.runner.once(partial(sending.drop, mail=mail, reason=message.reason, now=self.now))
            return
        assert message.to == mail.email
        assert message.to not in self.sent
        assert message.to not in self.left
        self.sent[message.to] = self.now
        self.runner.once(partial(sending.record_sent, mail=mail, message_id="simulated", now=self.now))

    def _set_status(self, status: str) -> None:
        changes = {"status": status}
        self.runner.once(
            partial(
                campaign_changes.change,
                caller=self.staff,
                campaign_id=self.campaign_id,
                changes=changes,
                now=self.now,
            )
        )

    def _check(self, emails: list[str]) -> None:
        assert set(self.sent) >= set(emails) - set(self.left)
        mails = self.campaigns.mails(self.campaign_id)
        assert {mail.address for mail in mails if mail.sent_at} == set(self.sent)
        dropped = {mail.address: mail.dropped_reason for mail in mails if mail.dropped_at}
        names = {"unsubscribed": "not_subscribed"}
        assert dropped == {email: names.get(self.left[email], self.left[email]) for email in dropped}
        assert len(mails) == len(self.sent) + len(dropped)
        assert self.campaigns.row(self.campaign_id).status == "sent"
