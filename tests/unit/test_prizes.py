"""Prizes: each cent of the pool is paid once or unallocated, for any distribution, ties and number of qualifiers."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goatedvips.domain.races.results.prizes import Prizes, divide_among_places, read_terms, share
from goatedvips.errors import NotSettleable

RACE = 7
HALF, THIRD, FIFTH = Decimal(50), Decimal(30), Decimal(20)


@st.composite
def distributions(draw: st.DrawFn) -> list[Decimal]:
    """Percents with two decimals, each above 0, all at most 100."""
    cuts = draw(st.sets(st.integers(1, 10_000), min_size=1, max_size=40))
    hundredths = [later - earlier for earlier, later in pairwise([0, *sorted(cuts)])]
    return [Decimal(part) / 100 for part in draw(st.permutations(hundredths))]


def standings(groups: list[int]) -> list[tuple[int, int]]:
    """Members by standard competition ranking, so many in each group of tied ones, with ids that no order follows."""
    before = [0, *accumulate(groups)]
    ranks = [before[group] + 1 for group, size in enumerate(groups) for _ in range(size)]
    return [(user_id * 7_919 % 100_003 + 1, rank) for user_id, rank in enumerate(ranks, 1)]


POOLS = st.integers(0, 9_999_999_999)
GROUPS = st.lists(st.integers(1, 12), max_size=30)


def in_the_order_of_their_digests(user_ids: list[int]) -> list[int]:
    return sorted(user_ids, key=lambda user_id: sha256(f"{RACE}:{user_id}".encode()).hexdigest())


@given(pool=POOLS, percents=distributions(), groups=GROUPS)
def test_what_is_paid_and_what_is_not_add_up_to_the_pool(pool: int, percents: list[Decimal], groups: list[int]) -> None:
    prizes = share(RACE, pool, percents, standings(groups))
    assert sum(prizes.cents_by_user.values()) + prizes.unallocated == pool
    assert prizes.unallocated >= 0
    assert all(cents > 0 for cents in prizes.cents_by_user.values())


@given(pool=POOLS, percents=distributions())
def test_places_share_the_whole_cents_of_the_pool_and_each_is_within_a_cent_of_its_share(
    pool: int, percents: list[Decimal]
) -> None:
    cents = divide_among_places(pool, percents)
    shared = int(pool * Fraction(sum(percents)) / 100)
    assert sum(cents) == shared
    quotas = [shared * Fraction(percent) / Fraction(sum(percents)) for percent in percents]
    assert all(0 <= abs(place - quota) < 1 for place, quota in zip(cents, quotas, strict=True))
    raised = [quota - place for place, quota in zip(cents, quotas, strict=True) if place > quota]
    floored = [quota - place for place, quota in zip(cents, quotas, strict=True) if place <= quota]
    assert all(1 + remainder >= left for remainder in raised for left in floored)


@given(pool=POOLS, percents=distributions(), groups=GROUPS)
def test_the_tied_share_the_places_that_they_occupy_to_a_cent(
    pool: int, percents: list[Decimal], groups: list[int]
) -> None:
    ranked = standings(groups)
    prizes = share(RACE, pool, percents, ranked)
    places = divide_among_places(pool, percents)
    for rank, size in Counter(rank for _, rank in ranked).items():
        user_ids = [user_id for user_id, its_rank in ranked if its_rank == rank]
        paid = [prizes.cents_by_user.get(user_id, 0) for user_id in in_the_order_of_their_digests(user_ids)]
        assert sum(paid) == sum(places[rank - 1 : rank - 1 + size])
        assert paid == sorted(paid, reverse=True)
        assert paid[0] - paid[-1] <= 1


@given(pool=POOLS, percents=distributions(), groups=GROUPS, shuffled=st.randoms(use_true_random=False))
def test_the_order_of_the_standings_does_not_matter(
    pool: int, percents: list[Decimal], groups: list[int], shuffled: Random
) -> None:
    ranked = standings(groups)
    before = share(RACE, pool, percents, ranked)
    shuffled.shuffle(ranked)
    assert share(RACE, pool, percents, ranked) == before


@given(pool=POOLS, percents=distributions(), groups=GROUPS)
def test_ranks_behind_the_last_paid_place_change_nothing(pool: int, percents: list[Decimal], groups: list[int]) -> None:
    ranked = standings(groups)
    paid = [(user_id, rank) for user_id, rank in ranked if rank <= len(percents)]
    assert share(RACE, pool, percents, paid) == share(RACE, pool, percents, ranked)


def test_the_worked_example() -> None:
    """$100.01 at 50/30/20 with places 1 and 2 tied: 40.01, 40.00, 20.00."""
    assert divide_among_places(10_001, [HALF, THIRD, FIFTH]) == [5_001, 3_000, 2_000]
    first, second = in_the_order_of_their_digests([11, 12])
    prizes = share(RACE, 10_001, [HALF, THIRD, FIFTH], [(11, 1), (12, 1), (13, 3)])
    assert prizes == Prizes({first: 4_001, second: 4_000, 13: 2_000}, 0)


def test_a_tie_that_straddles_the_last_paid_place_shares_the_paid_places_only() -> None:
    first, second, third = in_the_order_of_their_digests([12, 13, 14])
    prizes = share(RACE, 10_001, [HALF, THIRD, FIFTH], [(11, 1), (12, 2), (13, 2), (14, 2), (15, 5)])
    assert prizes == Prizes({11: 5_001, first: 1_667, second: 1_667, third: 1_666}, 0)


@pytest.mark.parametrize(("pool", "paid"), [(10_000_000, 100_000), (10_050_000, 100_000), (99_999, 99_999), (0, 0)])
def test_all_of_100_000_tied(pool: int, paid: int) -> None:
    prizes = share(RACE, pool, [HALF, THIRD, FIFTH], ((user_id, 1) for user_id in range(1, 100_001)))
    assert len(prizes.cents_by_user) == paid
    assert sum(prizes.cents_by_user.values()) == pool
    assert prizes.unallocated == 0
    assert {*prizes.cents_by_user.values()} <= {pool // 100_000, pool // 100_000 + 1}


def test_one_qualifier_gets_the_first_place_only() -> None:
    assert share(RACE, 10_001, [HALF, THIRD, FIFTH], [(11, 1)]) == Prizes({11: 5_001}, 5_000)


def test_without_a_qualifier_nothing_is_paid() -> None:
    assert share(RACE, 10_001, [HALF, THIRD, FIFTH], []) == Prizes({}, 10_001)


def test_below_100_percent_the_sum_is_rounded_down_and_the_rest_is_unallocated() -> None:
    """Of $1.01 at 50/49.5 the places share $1.00; the remainders .2512 and .7487 give the cent to the second place."""
    percents = [HALF, Decimal("49.5")]
    assert divide_among_places(101, percents) == [50, 50]
    assert share(RACE, 101, percents, [(11, 1), (12, 2)]) == Prizes({11: 50, 12: 50}, 1)


def test_of_equal_remainders_the_better_place_counts_first() -> None:
    assert divide_among_places(101, [HALF, HALF]) == [51, 50]
    assert divide_among_places(2, [Decimal(25)] * 4) == [1, 1, 0, 0]


@pytest.mark.parametrize("pool", ["NaN", "Infinity", "-0.01", "100000000"])
def test_a_pool_that_is_no_amount_cannot_be_settled(pool: str) -> None:
    with pytest.raises(NotSettleable):
        read_terms(Decimal(pool), '{"1": 100}')
