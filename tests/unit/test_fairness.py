"""The draw agrees with the published vectors, with the published verifier and with an implementation on Node's crypto.

These share no code.
"""

import json
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
import verify_spin

from goatedvips.domain.codes import generator
from goatedvips.domain.wheel import fairness
from tests.support import node

DOCS = Path(__file__).parents[2] / "docs"
DEFAULT = [1, 2, 5, 25, 500, 1000, 3467]
VECTORS: list[dict[str, Any]] = json.loads((DOCS / "fairness_vectors.json").read_text())["vectors"]


def run_verifier(*arguments: str) -> dict[str, str]:
    """The output of the published verifier, run by a Python interpreter without any package."""
    command = [sys.executable, "-I", "-S", str(DOCS / "verify_spin.py"), *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ") for line in printed.splitlines())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["description"])
def test_the_draw_and_the_verifier_give_the_published_segment(vector: dict[str, Any]) -> None:
    seed, client_seed, nonce = bytes.fromhex(vector["server_seed"]), vector["client_seed"], vector["nonce"]
    assert (
        fairness.draw(seed, client_seed, nonce, [int(weight) for weight in vector["weights"]])
        == (vector["segment_index"])
    )
    assert fairness.commitment(seed) == vector["commitment"]
    printed = run_verifier(vector["server_seed"], client_seed, str(nonce), *vector["weights"])
    assert printed == {
        "commitment": vector["commitment"],
        "drawn": vector["drawn"],
        "segment_index": str(vector["segment_index"]),
    }


def test_node_s_crypto_gives_the_published_segments() -> None:
    assert node.draw(VECTORS) == [vector["segment_index"] for vector in VECTORS]


def test_a_vector_shows_that_the_key_is_the_bytes_and_not_the_hex_text() -> None:
    (vector,) = (vector for vector in VECTORS if "segment_index_if_keyed_with_hex_text" in vector)
    by_text = fairness.draw(vector["server_seed"].encode(), vector["client_seed"], vector["nonce"], DEFAULT)
    assert by_text == vector["segment_index_if_keyed_with_hex_text"] != vector["segment_index"]


def test_vectors_lie_on_both_sides_of_the_rejection_boundary() -> None:
    edge = {vector["description"]: vector for vector in VECTORS if vector["client_seed"] == "edge"}
    accepted, rejected = edge.values()
    number = next(fairness._numbers(bytes.fromhex(accepted["server_seed"]), "edge", accepted["nonce"]))
    sums = [sum(map(int, vector["weights"])) for vector in (accepted, rejected)]
    assert [2**64 // total * total - number for total in sums] == [1, 0]
    assert (accepted["drawn"], rejected["drawn"] != str(number % sums[1])) == (str(number), True)


def test_the_implementations_agree_on_any_wheel() -> None:
    draws: list[dict[str, Any]] = [
        {
            "server_seed": secrets.token_hex(32),
            "client_seed": secrets.token_urlsafe(8),
            "nonce": secrets.randbelow(1_000),
            "weights": [
                str(secrets.randbelow(2 ** (1 + secrets.randbelow(61))) + 1) for _ in range(1 + secrets.randbelow(6))
            ],
        }
        for _ in range(2_000)
    ]
    by_node = node.draw(draws)
    for one, index in zip(draws, by_node, strict=True):
        inputs = (bytes.fromhex(one["server_seed"]), one["client_seed"], one["nonce"], [*map(int, one["weights"])])
        assert fairness.draw(*inputs) == verify_spin.draw(*inputs)[1] == index, one


def test_a_million_draws_are_in_proportion_to_the_weights() -> None:
    chance, count = Random(21), 1_000_000
    seeds = [chance.randbytes(32) for _ in range(count // 1_000)]
    counts = Counter(fairness.draw(seed, "fair", nonce, DEFAULT) for seed in seeds for nonce in range(1_000))
    # Chi-squared with six degrees of freedom, p = 0.001. The draws are fixed, so the test is deterministic.
    expected = {index: count * weight / sum(DEFAULT) for index, weight in enumerate(DEFAULT)}
    assert sum((counts[index] - number) ** 2 / number for index, number in expected.items()) < 22.46


def test_a_predictor_of_what_is_public_before_a_spin_does_no_better_than_chance() -> None:
    """It sees the commitment, the inputs but for the server seed, all spins before and all revealed seeds."""
    chance, halves = Random(21), [1, 1]
    hits: Counter[str] = Counter()
    seen: dict[tuple[str, object], Counter[int]] = {}
    previous_seed, seed, last, count = bytes(32), bytes(32), 0, 20_000
    for number in range(count):
        if number % 20 == 0:
            previous_seed, seed = seed, chance.randbytes(32)
        client_seed, nonce = f"client-{chance.randrange(4)}", number % 20
        public = fairness.commitment(seed)
        features: dict[str, object] = {
            "first digit": public[0],
            "last digit": public[-1],
            "nonce": nonce,
            "client seed": client_seed,
            "last result": last,
            "parity of the commitment": int(public, 16) % 2,
        }
        guesses = {
            "commitment as key": verify_spin.draw(bytes.fromhex(public), client_seed, nonce, halves)[1],
            "previous seed as key": verify_spin.draw(previous_seed, client_seed, nonce, halves)[1],
            "repeats": last,
            "alternates": 1 - last,
        }
        for name, value in features.items():
            learned = seen.setdefault((name, value), Counter({0: 0, 1: 0}))
            guesses[name] = learned.most_common(1)[0][0]
        last = fairness.draw(seed, client_seed, nonce, halves)
        for name, guess in guesses.items():
            hits[name] += guess == last
        for name, value in features.items():
            seen[name, value][last] += 1
    # Four standard deviations of a fair coin: sqrt(20,000) / 2 = 70.7 hits each.
    assert {name: found for name, found in hits.items() if abs(found - count / 2) > 4 * 70.7} == {}


def test_generated_codes_are_unique_and_have_16_unambiguous_characters() -> None:
    codes = {generator.new_code() for _ in range(10_000)}
    assert len(codes) == 10_000
    assert {len(code.replace("-", "")) for code in codes} == {16}
    assert not set("01OI") & set("".join(codes))
