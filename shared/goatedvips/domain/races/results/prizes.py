"""Prizes: how a prize pool is divided among the places of a race, and the places among those who are tied.

All amounts are whole cents, and what is paid and what is not add up to the pool.
"""

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate

from goatedvips.errors import NotSettleable

_HUNDRED_PERCENT = 100
_POOL_BOUND = 100_000_000  # US dollars; `historical_races.prize_pool` is numeric(10, 2)


@dataclass(frozen=True, slots=True)
class Prizes:
    """What a race pays.

    Parameters
    ----------
    cents_by_user: the prize of each member who gets one, in cents above 0.
    unallocated: the cents of the pool that nobody gets.
    """

    cents_by_user: Mapping[int, int]
    unallocated: int


def read_terms(prize_pool: Decimal, distribution: str) -> tuple[int, list[Decimal]]:
    """Return the prize pool of a race in cents, and the percentage of it for each place, the first place's first.

    Parameters
    ----------
    prize_pool: US dollars.
    distribution: the text of the JSON, in which the percents are exact.

    Raises
    ------
    NotSettleable: the legacy application wrote a pool that the archive cannot store, or no percentage for each rank
        from 1 on, or more than 100 percent.
    """
    if not prize_pool.is_finite() or not 0 <= prize_pool < _POOL_BOUND:
        raise NotSettleable("The prize pool is not an amount below 100,000,000")
    given = json.loads(distribution, parse_float=Decimal, parse_int=Decimal)
    by_rank = given if isinstance(given, dict) else {}
    percents = [by_rank.get(str(rank)) for rank in range(1, len(by_rank) + 1)]
    exact = [percent for percent in percents if isinstance(percent, Decimal) and percent > 0]
    if not exact or len(exact) < len(percents):
        raise NotSettleable("The prize distribution does not have a percentage for each rank from 1 on")
    if sum(map(Fraction, exact)) > _HUNDRED_PERCENT:
        raise NotSettleable("The prize distribution adds up to more than 100 percent")
    return int(prize_pool * 100), exact


def divide_among_places(pool: int, percents: Sequence[Decimal]) -> list[int]:
    """Return the cents of each paid place, the first place's first, whoever occupies the places.

    The places share the pool times the sum of the percents, rounded down to whole cents. They do so in proportion to
    their percents, by the method of largest remainders; of equal remainders the better place's counts first.

    Parameters
    ----------
    pool: the prize pool in cents.
    percents: the percentage of the pool for each place, the first place's first: each above 0, all at most 100.
    """
    exact = [Fraction(percent) for percent in percents]
    whole = sum(exact)
    shared = int(pool * whole / _HUNDRED_PERCENT)
    quotas = [percent * shared / whole for percent in exact]
    cents = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda place: (cents[place] - quotas[place], place))
    for place in by_remainder[: shared - sum(cents)]:
        cents[place] += 1
    return cents


def share(race_id: int, pool: int, percents: Sequence[Decimal], ranked: Iterable[tuple[int, int]]) -> Prizes:
    """Return who gets which prize.

    Members of the same rank share the cents of all places that they occupy equally. The cents that are left over go
    to the first of them in the order of the SHA-256 of the text `race_id:user_id`, one each.

    Parameters
    ----------
    pool: the prize pool in cents.
    percents: as in `divide_among_places`.
    ranked: the id of each ranked member and their rank by standard competition ranking (1, 1, 3), in any order. Ranks
        behind the last paid place may be left out.
    """
    places = [0, *accumulate(divide_among_places(pool, percents))]
    paid_places = len(places) - 1
    tied: dict[int, list[int]] = {}
    for user_id, rank in ranked:
        if rank <= paid_places:
            tied.setdefault(rank, []).append(user_id)
    cents_by_user: dict[int, int] = {}
    for rank, user_ids in tied.items():
        occupied = places[min(paid_places, rank - 1 + len(user_ids))] - places[rank - 1]
        each, left_over = divmod(occupied, len(user_ids))
        lucky = set(heapq.nsmallest(left_over, user_ids, key=lambda user_id: _turn(race_id, user_id)))
        shares = ((user_id, each + (user_id in lucky)) for user_id in user_ids)
        cents_by_user.update((user_id, cents) for user_id, cents in shares if cents)
    return Prizes(cents_by_user, pool - sum(cents_by_user.values()))


def _turn(race_id: int, user_id: int) -> bytes:
    """Return what orders tied members: nobody can choose it, and anyone can compute it again."""
    return sha256(f"{race_id}:{user_id}".encode()).digest()
