"""What members and staff do during a simulated month, on the platform and in the reports of the plain computation."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import credentials, exclusions, link_decisions
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.members import changes as member_changes
from goatedvips.domain.members.changes import Change
from goatedvips.domain.privacy import erasure
from goatedvips.domain.races import changes, disqualification, participation
from goatedvips.domain.wagers import acceptance
from goatedvips.errors import Conflict
from goatedvips.models.accounts import account_links, users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.wagers import wager_accounts
from tests.simulations.reference import Participant, Person, Race, Reports
from tests.simulations.runner import Runner
from tests.support.members import Member, Members
from tests.support.rows import insert_row

LIFETIME = timedelta(days=10_000)  # of sessions, which are made now and used in the simulated month
UNLINKED, ADOPTED = 0.05, 0.1  # of members: without a uid, and with a total that the legacy application left
SPARE = 0.2  # how many more uids than members there are
JOINED_BY_FUNCTION = 10  # of the members who join a race before its start
RAISED = 0.1  # of what happens in a race that has not ended: staff raise its prize pool
ACCEPTED, MOST_ACCEPTED = 0.3, 1  # of open falls, at each look; and about how many


@dataclass
class Player:
    """A member, and what they can still do."""

    member: Member
    person: Person
    has_session: bool = True
    excluded_until: datetime | None = None

    @property
    def caller(self) -> Caller:
        """The member as the caller of a function."""
        return Caller(self.member.id, self.member.session_id, "simulation")


class Community:
    """Members, of whom most are linked and take part in races, a staff member, and shells, by user id."""

    def __init__(
        self,
        owner: sa.Engine,
        runner: Runner,
        reports: Reports,
        chance: random.Random,
        size: int,
        *,
        shells: int = 0,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._owner, self._runner, self._reports, self._chance = owner, runner, reports, chance
        members = Members(owner)
        staff = members.staff(session_lifetime=LIFETIME)
        self.staff = Caller(staff.id, staff.session_id, "simulation")
        self.uids = [f"uid-{staff.id}-{number}" for number in range(int(size * (1 + SPARE)))]
        self.players: dict[int, Player] = {}
        linked = [None if chance.random() < UNLINKED else uid for uid in self.uids[:size]]
        rows = [{"uid": uid, "verified": uid is not None} for uid in linked]
        for uid, member in zip(linked, members.new_all(rows, session_lifetime=LIFETIME), strict=True):
            self.players[member.id] = Player(member, Person(uid))
        held = {player.person.uid for player in self.players.values()}
        self._spare = [uid for uid in self.uids if uid not in held]
        self.shells = {members.shell(self._spare.pop()).id: Person(is_shell=True) for _ in range(shells)}
        self._erased_uids: list[str] = []
        for player in self.players.values():
            if player.person.uid is not None and chance.random() < ADOPTED:
                self._adopt(player.member.id, player.person.uid)

    def _adopt(self, user_id: int, uid: str) -> None:
        figures: dict[str, Decimal] = dict.fromkeys(("wager_today", "wager_week", "wager_month"), Decimal(0))
        total = Decimal(self._chance.randrange(10**9)).scaleb(-4)
        when = datetime(2029, 12, 1, tzinfo=UTC)
        insert_row(self._owner, wager_accounts, uid=uid, user_id=user_id, total_wager=total, read_at=when, **figures)
        self._reports.adopt(uid)

    @property
    def people(self) -> dict[int, Person]:
        """What decides whether a member is ranked, by user id."""
        return {user_id: player.person for user_id, player in self.players.items()} | self.shells

    def join(self, race: Race, player: Player, now: datetime) -> None:
        """Let a member join a race."""
        self._runner.run(partial(participation.join, caller=player.caller, race_id=race.id, now=now))
        race.participants[player.member.id] = Participant()

    def join_all(self, race: Race, carried_over: Mapping[int, Decimal], now: datetime) -> None:
        """Let many members join a race: some by the function, and the others by rows copied from the first one's.

        Parameters
        ----------
        carried_over: what the legacy application counted for each member before the adoption, by user id.
        """
        joining = list(carried_over)
        for user_id in joining[:JOINED_BY_FUNCTION]:
            self.join(race, self.players[user_id], now)
        own = {"id", "user_id", "member_key"}
        copied = [column for column in participants.c if column.name not in own]
        others = sa.select(sa.func.unnest(sa.cast(joining[JOINED_BY_FUNCTION:], sa.ARRAY(sa.Integer))).label("id"))
        other, of_race = others.subquery("other"), participants.c.race_id == race.id
        of_first = of_race, participants.c.user_id == joining[0]
        rows = sa.select(other.c.id, other.c.id, *copied).join_from(participants, other, sa.true()).where(*of_first)
        insert_others = sa.insert(participants).from_select(["user_id", "member_key", *copied], rows)
        of_member = of_race, participants.c.user_id == sa.bindparam("member")
        carry_over = sa.update(participants).where(*of_member).values(carried_over=sa.bindparam("amount"))
        amounts = [{"member": user_id, "amount": amount} for user_id, amount in carried_over.items() if amount]
        with self._owner.connect() as connection:
            connection.execute(insert_others)
            if amounts:
                connection.execute(carry_over, amounts)
        race.participants.update((user_id, Participant(amount)) for user_id, amount in carried_over.items())

    def happen(self, races: list[Race], now: datetime) -> None:
        """Let something happen to some member.

        Parameters
        ----------
        races: those that are not settled.
        """
        kinds: dict[str, Callable[[Player, datetime], bool]] = {
            "exclusions": self._exclude,
            "ended exclusions": self._end_exclusion,
            "suspensions": self._suspend,
            "changes of staff": self._make_staff,
            "links": self._link,
            "ended links": self._unlink,
            "erasures": self._erase,
            "erased uids taken up": self._take_up,
        }
        player = self._chance.choice(list(self.players.values()))
        if self._chance.random() < 1 / 4 and races:
            self._happen_in(self._chance.choice(races), player, now)
            return
        kind = self._chance.choice(list(kinds))
        self.counts[kind] += kinds[kind](player, now)

    def happen_to_each(self, user_ids: Sequence[int], now: datetime) -> None:
        """Let members exclude themselves, lose their link, be linked anew, be suspended, and be erased, by turns."""
        kinds = (self._exclude, self._unlink, self._link, self._suspend, self._erase)
        for kind, user_id in zip(kinds, user_ids, strict=False):
            self.counts["changes before a settlement"] += kind(self.players[user_id], now)

    def _happen_in(self, race: Race, player: Player, now: datetime) -> None:
        part = race.participants.get(player.member.id)
        if now < race.end and self._chance.random() < RAISED:
            self._raise_pool(race, now)
        elif part is not None and now < race.start and player.has_session and not part.is_disqualified:
            self._runner.run(partial(participation.leave, caller=player.caller, race_id=race.id, now=now))
            del race.participants[player.member.id]
            self.counts["leaves"] += 1
        elif part is not None:
            self._disqualify(player, race, now)
        elif player.has_session and player.excluded_until is None and now < race.end:
            self.join(race, player, now)
            self.counts["late joins"] += now >= race.start

    def _raise_pool(self, race: Race, now: datetime) -> None:
        pool = race.pool + Decimal(self._chance.randrange(1, 10**6)).scaleb(-2)
        given = {"prize_pool": pool}
        self._runner.run(partial(changes.change, caller=self.staff, race_id=race.id, given=given, now=now))
        race.pool = pool
        self.counts["raised pools"] += 1

    def accept_falls(self, now: datetime) -> None:
        """Let staff accept some of the lower totals."""
        falls = self._reports.falls()
        share = min(ACCEPTED, MOST_ACCEPTED / max(1, len(falls)))
        for uid, total in falls.items():
            if self._chance.random() < share:
                accept = partial(acceptance.accept_fall, caller=self.staff, uid=uid, reason="Corrected.", now=now)
                self._runner.refuse(partial(accept, total=total + Decimal("0.01")), Conflict)
                self._runner.run(partial(accept, total=total), "jobs")
                self._reports.accept_fall(uid)
                self.counts["accepted falls"] += 1

    def _disqualify(self, player: Player, race: Race, now: datetime) -> None:
        participant = race.participants[player.member.id]
        wanted = not participant.is_disqualified
        self._runner.run(
            partial(
                disqualification.change,
                caller=self.staff,
                race_id=race.id,
                member_id=player.member.id,
                disqualified=wanted,
                reason="Wagered for somebody else.",
                now=now,
            ),
            "jobs",
        )
        participant.is_disqualified = wanted
        self.counts["disqualifications"] += wanted

    def _exclude(self, player: Player, now: datetime) -> bool:
        if not player.has_session or player.person.excluded_since is not None:
            return False
        days = self._chance.randrange(1, 4)
        self._runner.run(partial(exclusions.exclude, caller=player.caller, days=days, now=now))
        player.person.excluded_since, player.excluded_until = now, now + timedelta(days=days)
        return True

    def _end_exclusion(self, _: Player, now: datetime) -> bool:
        over = [
            one for one in self.players.values() if one.has_session and one.excluded_until and one.excluded_until <= now
        ]
        for player in over[:1]:
            self._runner.run(partial(exclusions.end, caller=player.caller, now=now))
            player.person.excluded_since = player.excluded_until = None
        return bool(over)

    def _suspend(self, player: Player, now: datetime) -> bool:
        if player.person.is_erased:
            return False
        change = Change(suspended=not player.person.is_suspended, reason="Rude.")
        self._change(player, change, now)
        player.person.is_suspended = bool(change.suspended)
        player.has_session = False
        return True

    def _make_staff(self, player: Player, now: datetime) -> bool:
        if player.person.is_erased or player.person.is_suspended or self._chance.random() < 1 / 2:
            return False
        player.person.is_staff = not player.person.is_staff
        self._change(player, Change(is_admin=player.person.is_staff), now)
        return True

    def _change(self, player: Player, change: Change, now: datetime) -> None:
        member_id = player.member.id
        self._runner.run(partial(member_changes.change, caller=self.staff, member_id=member_id, wanted=change, now=now))

    def _link(self, player: Player, now: datetime) -> bool:
        """Link a member to another uid. One who was excluded would leave their exclusion with the old uid."""
        if player.person.is_erased or player.person.excluded_since or player.person.is_suspended or not self._spare:
            return False
        uid = self._spare.pop(self._chance.randrange(len(self._spare)))
        self._approve(player, uid, now)
        return True

    def _approve(self, player: Player, uid: str, now: datetime) -> None:
        link = insert_row(self._owner, account_links, user_id=player.member.id, uid=uid, requested_at=now)
        self._runner.run(
            partial(
                link_decisions.decide, caller=self.staff, link_id=link, decision="approved", reason="Shown.", now=now
            )
        )
        if player.person.uid is not None:
            self._spare.append(player.person.uid)
        player.person.uid = uid

    def _unlink(self, player: Player, _: datetime) -> bool:
        if player.person.uid is None or player.person.excluded_since is not None:
            return False
        with self._owner.connect() as connection:
            connection.execute(sa.update(users).where(users.c.id == player.member.id).values(uid=None, verified=False))
        self._spare.append(player.person.uid)
        player.person.uid = None
        return True

    def _erase(self, player: Player, now: datetime) -> bool:
        if not player.has_session or player.person.is_staff or self._chance.random() < 1 / 2:
            return False
        attempt = self._runner.once(
            partial(credentials.begin_attempt, caller=player.caller, client_network="203.0.113.9", now=now)
        )
        assert isinstance(attempt, LogInAttempt)
        self._runner.run(partial(erasure.erase, caller=player.caller, attempt=attempt, now=now))
        if player.person.uid is not None:
            self._reports.erase(player.person.uid)
            if player.person.excluded_since is None:
                self._erased_uids.append(player.person.uid)
        player.person.uid, player.person.is_erased, player.has_session = None, True, False
        return True

    def _take_up(self, _: Player, now: datetime) -> bool:
        """Link a member who has no uid to an erased one."""
        free = [one for one in self.players.values() if one.person.uid is None and one.person.excluded_since is None]
        free = [one for one in free if not one.person.is_erased and not one.person.is_suspended]
        if not free or not self._erased_uids:
            return False
        uid = self._erased_uids.pop()
        self._approve(self._chance.choice(free), uid, now)
        self._reports.take_up(uid)
        return True
