"""The draw agrees with the published test vectors and with the published verifier, which shares no code with it."""

import hashlib
import importlib
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from goatedvips.domain.codes import generator
from goatedvips.domain.wheel import fairness

DOCS = Path(__file__).parents[2] / "docs"
DEFAULT = [1, 2, 5, 25, 500, 1000, 3467]
SEED = bytes(range(32))
VECTORS = [
    (SEED, "lucky-goat", 0, DEFAULT, 6),
    (SEED, "lucky-goat", 1, DEFAULT, 6),
    (SEED, "goat", 7, DEFAULT, 4),
    (SEED, "goat", 5, DEFAULT, 5),
    (b"\xff" * 32, "42", 7, DEFAULT, 6),
    (hashlib.sha256(b"GoatedVIPs").digest(), "a_b-C", 0, DEFAULT, 6),
    (SEED, "x", 6, [2**62, 2**62 + 1], 0),
    (SEED, "x", 11, [2**63, 1], 0),
]


def verify(seed: bytes, client_seed: str, nonce: int, weights: list[int]) -> dict[str, str]:
    """The output of the published verifier, run by a Python interpreter without any package."""
    command = [
        sys.executable,
        "-I",
        "-S",
        str(DOCS / "verify_spin.py"),
        seed.hex(),
        client_seed,
        str(nonce),
        *map(str, weights),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ") for line in printed.splitlines())


@pytest.mark.parametrize(("seed", "client_seed", "nonce", "weights", "segment"), VECTORS)
def test_the_draw_and_the_verifier_give_the_published_segment(
    seed: bytes, client_seed: str, nonce: int, weights: list[int], segment: int
) -> None:
    assert fairness.draw(seed, client_seed, nonce, weights) == segment
    printed = verify(seed, client_seed, nonce, weights)
    assert printed["segment_index"] == str(segment)
    assert printed["commitment"] == fairness.commitment(seed)
    assert f"| {nonce} |" in (DOCS / "fairness.md").read_text()
    assert f"| {printed['drawn']} | {segment} |" in (DOCS / "fairness.md").read_text()


def test_the_draw_agrees_with_the_verifier_on_any_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    verify_spin = importlib.import_module("verify_spin")
    for _ in range(2_000):
        weights = [secrets.randbelow(2 ** (1 + secrets.randbelow(61))) + 1 for _ in range(1 + secrets.randbelow(6))]
        seed, client_seed, nonce = secrets.token_bytes(32), secrets.token_urlsafe(8), secrets.randbelow(1_000)
        assert (
            fairness.draw(seed, client_seed, nonce, weights) == verify_spin.draw(seed, client_seed, nonce, weights)[1]
        )


def test_segments_are_drawn_in_proportion_to_their_weights() -> None:
    counts = Counter(fairness.draw(SEED, "fair", nonce, [1, 2, 7]) for nonce in range(20_000))
    # Chi-square with two degrees of freedom, p = 0.001. The draws are fixed, so the test is deterministic.
    expected = {0: 2_000, 1: 4_000, 2: 14_000}
    assert sum((counts[index] - number) ** 2 / number for index, number in expected.items()) < 13.8


def test_generated_codes_are_unique_and_have_16_unambiguous_characters() -> None:
    codes = {generator.new_code() for _ in range(10_000)}
    assert len(codes) == 10_000
    assert {len(code.replace("-", "")) for code in codes} == {16}
    assert not set("01OI") & set("".join(codes))


def test_the_document_has_no_other_vectors() -> None:
    lines = (DOCS / "fairness.md").read_text().splitlines()
    assert sum(line.startswith(("| `00", "| 32", "| SHA")) for line in lines) == len(VECTORS)
