"""Tiers, rewards and what members have wagered while they were linked, worked out plainly from what happened.

Nothing of the platform is imported. The rules are those of the platform's documentation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tests.simulations.reference import Moment, Reading

ZERO = Decimal(0)


@dataclass(frozen=True)
class Tier:
    """A tier of a version."""

    name: str
    min_wager: Decimal
    reward: Decimal


@dataclass(frozen=True)
class Reached:
    """A tier that a member has reached: with its reward, or silently."""

    reward: Decimal
    is_silent: bool


@dataclass
class Account:
    """An account of the feed.

    Parameters
    ----------
    total: at the newest reading; until there is one, the adopted total.
    readings: all that were taken, by the moments of their feeds.
    """

    total: Decimal = ZERO
    readings: dict[Moment, Decimal] = field(default_factory=dict)

    @property
    def highest(self) -> Decimal | None:
        """The highest total of all readings."""
        return max(self.readings.values(), default=None)


@dataclass
class Link:
    """The link of a member to an account.

    Parameters
    ----------
    approved_at: None: by the legacy application.
    opening: the highest total when it began; if there was no reading, the first reading's once a statement has
        counted from it, and until then None.
    has_total: whether a total was known since it began.
    is_counted: whether `opening` is that of a statement. An earlier reading that comes in later can then only lower it,
        because what a statement says stays.
    """

    uid: str
    approved_at: datetime | None
    opening: Decimal | None
    has_total: bool
    is_counted: bool = False


@dataclass
class Member:
    """A member, what they have reached, and what they wagered in links that ended."""

    tier: str
    total: Decimal = ZERO
    reached: dict[str, Reached] = field(default_factory=dict)
    link: Link | None = None
    is_erased: bool = False
    wagered_before: Decimal = ZERO


class Standings:
    """All members and accounts.

    Parameters
    ----------
    tiers: the version in force, in ascending order.
    """

    def __init__(self, tiers: Sequence[Tier]) -> None:
        self.tiers = tiers
        self.accounts: dict[str, Account] = {}
        self.members: dict[int, Member] = {}
        self._owners: dict[str, int] = {}
        self._erased: set[str] = set()

    def add(self, user_id: int, uid: str | None) -> None:
        """Take a member in, with the link that the legacy application made, if any."""
        self.members[user_id] = Member(self.tiers[0].name)
        self._record(self.members[user_id], 0, is_silent=True)
        if uid is not None:
            self._owners[uid] = user_id
            self.members[user_id].link = Link(uid, None, None, uid in self.accounts)

    def adopt(self, uid: str, total: Decimal) -> None:
        """Take over a total of the legacy application."""
        self.accounts[uid] = Account(total)
        if uid in self._owners:
            self._of(uid).has_total = True

    def publish(self, tiers: Sequence[Tier]) -> None:
        """Put a version into force, and record silently what totals have passed."""
        self.tiers = tiers
        for member in (member for member in self.members.values() if not member.is_erased):
            held = [place for place, tier in enumerate(tiers) if tier.name in member.reached]
            place = max([self._place(member.total), *held])
            self._record(member, place, is_silent=True)
            member.tier = tiers[place].name

    def approve(self, user_id: int, uid: str, now: datetime) -> None:
        """Link a member to a uid, with the totals that are known for it."""
        self.end_link(user_id)
        self._erased.discard(uid)
        account, member = self.accounts.get(uid), self.members[user_id]
        has_total = account is not None and (bool(account.readings) or account.total > 0)
        member.link = Link(uid, now, account.highest if account else None, has_total)
        member.total = account.total if account else ZERO
        self._owners[uid] = user_id
        self._raise(member, member.total, is_silent=True)

    def end_link(self, user_id: int) -> None:
        """End a member's link: the totals go, the tiers stay."""
        member = self.members[user_id]
        member.wagered_before = self.wagered(user_id)
        if member.link is not None:
            del self._owners[member.link.uid]
        member.link, member.total = None, ZERO

    def erase(self, user_id: int, uid: str | None) -> None:
        """Erase a member, who keeps the tiers; forget their account, and what the feed will say of it."""
        self.end_link(user_id)
        self.members[user_id].is_erased = True
        if uid is not None:
            self.accounts.pop(uid, None)
            self._erased.add(uid)

    def read(self, uid: str, reading: Reading, *, is_out: bool) -> None:
        """Take an account's reading.

        Parameters
        ----------
        is_out: whether its member is suspended or excluded.
        """
        if uid in self._erased:
            return
        account = self.accounts.setdefault(uid, Account())
        is_newest = reading.moment > max(account.readings, default=reading.moment[:0])
        is_first = reading.moment < min(account.readings, default=reading.moment)
        account.readings[reading.moment] = reading.total
        if is_newest:
            account.total = reading.total
        if uid not in self._owners:
            return
        member, link = self.members[self._owners[uid]], self._of(uid)
        if is_first and link.is_counted and link.opening is not None:
            link.opening = min(link.opening, reading.total)
        is_before = link.approved_at is not None and reading.moment[0] < link.approved_at
        if is_newest:
            member.total = reading.total
        if is_newest or not is_before:
            self._raise(member, reading.total, is_silent=is_out or is_before or not link.has_total)
        link.has_total = True

    def owner(self, uid: str) -> int | None:
        """The member whom a uid is linked to."""
        return self._owners.get(uid)

    def count(self, user_id: int) -> None:
        """Write a statement for a member, which counts from the first reading so far."""
        link = self.members[user_id].link
        account = self.accounts.get(link.uid) if link else None
        if link is not None and link.opening is None and account is not None and account.readings:
            link.opening, link.is_counted = account.readings[min(account.readings)], True

    def wagered(self, user_id: int) -> Decimal:
        """By how much the highest totals rose while they were linked to the member."""
        member = self.members[user_id]
        account = self.accounts.get(member.link.uid) if member.link else None
        if account is None or member.link is None or not account.readings:
            return member.wagered_before
        opening = member.link.opening
        if opening is None:
            opening = account.readings[min(account.readings)]
        return member.wagered_before + max((account.highest or ZERO) - opening, ZERO)

    def _of(self, uid: str) -> Link:
        link = self.members[self._owners[uid]].link
        assert link is not None
        return link

    def _place(self, total: Decimal) -> int:
        return max(place for place, tier in enumerate(self.tiers) if tier.min_wager <= total)

    def _raise(self, member: Member, total: Decimal, *, is_silent: bool) -> None:
        places: Mapping[str, int] = {tier.name: place for place, tier in enumerate(self.tiers)}
        place = max(self._place(total), places[member.tier])
        if place > places[member.tier]:
            self._record(member, place, is_silent=is_silent)
            member.tier = self.tiers[place].name

    def _record(self, member: Member, place: int, *, is_silent: bool) -> None:
        for tier in self.tiers[: place + 1]:
            member.reached.setdefault(tier.name, Reached(ZERO if is_silent else tier.reward, is_silent))
