"""Verify spins of the wheel, with Python 3.11 and its standard library; docs/fairness.md says what a result proves.

    python verify_spin.py SERVER_SEED_HEX CLIENT_SEED NONCE WEIGHT [WEIGHT …]

prints the commitment (the SHA-256 of the server seed), the drawn number and the index of the segment. Compare the
commitment with the `server_seed_hash` that you noted before the spin, and the index with the spin's `segment_index`.

    python verify_spin.py --history FILE [FILE …] [--noted FILE_OR_COMMITMENT …]

checks all spins of a member. The files are JSON: the answer of GET /v1/me/export, or the answers of GET /v1/me, of all
pages of GET /v1/wheel/seeds and GET /v1/wheel/spins, and of GET /v1/wheel/spins/{id} for one spin of each version of
the wheel. What you noted is a commitment, or a file with an answer that you saved before: of GET /v1/me/wheel,
GET /v1/wheel, POST /v1/wheel/seeds or POST /v1/wheel/spins. The exit status is 1 if anything is refused. Files may be
compressed by gzip, as the export is sent.
"""

import gzip
import hashlib
import hmac
import json
import re
import sys
import zlib
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

MINUTE = timedelta(minutes=1)
COMMITMENT = re.compile(r"[0-9a-f]{64}")
# A field of each answer that is read: the export, GET /v1/me, one spin and a list; a spin, GET /v1/wheel, GET
# /v1/me/wheel and a rotation.
OF_HISTORY = {"wheel_spins", "username", "segment_index", "items"}
OF_NOTES = {"segment_index", "segments", "next_server_seed_hash"}


def draw(server_seed: bytes, client_seed: str, nonce: int, weights: list[int]) -> tuple[int, int]:
    """The drawn number, which is below the sum of the weights, and the index of the segment that it selects."""
    total = sum(weights)
    limit = 2**64 // total * total
    round_number = 0
    while True:
        message = f"{client_seed}:{nonce}:{round_number}".encode()
        digest = hmac.new(server_seed, message, hashlib.sha256).digest()
        for group in range(4):
            number = int.from_bytes(digest[8 * group : 8 * group + 8], "big")
            if number < limit:
                drawn = number % total
                for index in range(len(weights)):
                    if drawn < sum(weights[: index + 1]):
                        return drawn, index
        round_number += 1


def commitment(server_seed: str) -> str:
    """The commitment to a server seed. Both are in hex."""
    return hashlib.sha256(bytes.fromhex(server_seed)).hexdigest()


class History:
    """A member's server seeds, spins and versions of the wheel, with what is refused and what is remarked about them.

    Parameters
    ----------
    documents: the parsed files.
    """

    def __init__(self, documents: list[Any]) -> None:
        self.refused: list[str] = []
        self.remarks: list[str] = []
        self.member: str | None = None
        self.seeds: dict[str, dict[str, Any]] = {}
        self.spins: dict[int, dict[str, Any]] = {}
        self.versions: dict[int, dict[str, Any]] = {}
        self.adopted = 0
        for document in documents:
            self._read(document)

    def _read(self, document: dict[str, Any]) -> None:
        if "wheel_spins" in document:
            self._read_export(document)
        elif "username" in document:
            self.member = str(document["id"])
        elif "segment_index" in document:
            self._add_spin(document)
        else:
            for item in document["items"]:
                if "segment_index" in item:
                    self._add_spin(item)
                else:
                    self.seeds[item["server_seed_hash"]] = item

    def _read_export(self, export: dict[str, Any]) -> None:
        self.member = str(export["member"]["id"])
        hashes = {}
        for row in export["wheel_seeds"]:
            self.seeds[row["server_seed_hash"]] = {"server_seed": None, **row, "spins": row["nonce"]}
            hashes[row["id"]] = row["server_seed_hash"]
        for row in export["wheel_versions"]:
            self._add_version(row["id"], row["segments"], row["created_at"])
            self.versions[row["id"]]["in_force_from"] = row["in_force_from"]
        for row in export["wheel_spins"]:
            drawn = {"server_seed_hash": hashes.get(row["seed_id"]), **row}
            fairness = None if row["seed_id"] is None else drawn
            version = row["version_id"]
            self._add_spin({**row, "spun_at": row["timestamp"], "version": version, "fairness": fairness})

    def _add_spin(self, spin: dict[str, Any]) -> None:
        if spin["fairness"] is None:
            self.adopted += 1
            return
        if spin.get("segments"):
            self._add_version(spin["version"], spin["segments"], spin["published_at"])
        self.spins[spin["id"]] = {**self.spins.get(spin["id"], {}), **spin}

    def _add_version(self, version: int, segments: list[dict[str, Any]], published_at: str | None = None) -> None:
        known = self.versions.setdefault(version, {"segments": _plain(segments), "published_at": published_at})
        if known["segments"] != _plain(segments):
            self._refuse("changed odds", f"version {version} of the wheel has other segments in another answer")
        known["published_at"] = known["published_at"] or published_at

    def _refuse(self, name: str, detail: str) -> None:
        self.refused.append(f"{name}: {detail}")

    def check(self, notes: list[Any]) -> None:
        """Check everything. The results are in `refused` and `remarks`.

        Parameters
        ----------
        notes: commitments in hex, and parsed answers, that the reader saved before.
        """
        self._check_notes(notes)
        by_seed = defaultdict(list)
        for spin in self.spins.values():
            by_seed[spin["fairness"]["server_seed_hash"]].append(spin)
        for published, seed in self.seeds.items():
            self._check_seed(published, seed, by_seed.pop(published, []))
        for published, spins in by_seed.items():
            self._refuse("unknown seed", f"spin {spins[0]['id']} was drawn from {published}, which is not listed")
        for spin in self.spins.values():
            self._check_spin(spin)
        self._remark_versions()

    def _check_seed(self, published: str, seed: dict[str, Any], spins: list[dict[str, Any]]) -> None:
        nonces = sorted(spin["fairness"]["nonce"] for spin in spins)
        if seed["server_seed"] is None:
            if spins:
                self.remarks.append(f"{published}: not revealed, so its {len(spins)} spins are not verified yet")
            if len(set(nonces)) < len(nonces):
                self._refuse("repeated nonce", f"{published} drew two spins with one nonce")
            return
        if commitment(seed["server_seed"]) != published:
            self._refuse("swapped seed", f"the seed that was revealed for {published} has another SHA-256")
        if nonces != [*range(seed["spins"])]:
            absent = sorted({*range(seed["spins"])} - {*nonces}) or "none"
            detail = f"{published} drew {seed['spins']} spins; listed are {len(nonces)}, absent are the nonces {absent}"
            self._refuse("left-out spin", detail)

    def _check_spin(self, spin: dict[str, Any]) -> None:
        drawn, version = spin["fairness"], self.versions.get(spin["version"])
        seed = self.seeds.get(drawn["server_seed_hash"])
        name = f"spin {spin['id']}"
        if seed is None:
            return
        self._check_time(spin, seed)
        by = self.chosen_by(spin)
        if drawn.get("client_seed_by", by) != by:
            self._refuse("wrong client_seed_by", f"{name} says {drawn['client_seed_by']}, its rows say {by}")
        if version is None:
            detail = f"{name}: add the answer of GET /v1/wheel/spins/{spin['id']}, for version {spin['version']}"
            self._refuse("unknown odds", detail)
            return
        since = version.get("in_force_from")
        if since and _time(spin["spun_at"]) < _time(since):
            self._refuse("changed odds", f"{name} was drawn before version {spin['version']} was in force")
        self._check_result(spin, version["segments"], seed["server_seed"])

    def _check_time(self, spin: dict[str, Any], seed: dict[str, Any]) -> None:
        """A spin and a rotation at the same time may wait for each other, so a minute makes no difference."""
        spun_at, begin, end = _time(spin["spun_at"]), seed["activated_at"], seed["revealed_at"]
        if begin is None or spun_at < _time(begin) - MINUTE or (end and spun_at > _time(end) + MINUTE):
            detail = f"spin {spin['id']} was drawn while {seed['server_seed_hash']} was not the active seed"
            self._refuse("seed not in use", detail)

    def _check_result(
        self, spin: dict[str, Any], segments: list[tuple[str, int, float]], server_seed: str | None
    ) -> None:
        drawn, index, name = spin["fairness"], spin["segment_index"], f"spin {spin['id']}"
        if not 0 <= index < len(segments):
            self._refuse("changed result", f"{name} has the segment {index}, which the wheel does not have")
            return
        if spin.get("segment") and _plain([spin["segment"]])[0] != segments[index]:
            self._refuse("changed odds", f"{name} shows another segment than version {spin['version']} has")
        if (segments[index][2] > 0) != bool(spin["reward_code"]):
            self._refuse("changed result", f"{name} has a code, or none, against its segment {segments[index][0]}")
        if drawn.get("server_seed", server_seed) != server_seed:
            self._refuse("swapped seed", f"{name} shows another server seed than the list of seeds")
        if server_seed is not None:
            weights = [weight for _, weight, _ in segments]
            _, expected = draw(bytes.fromhex(server_seed), drawn["client_seed"], drawn["nonce"], weights)
            if expected != index:
                detail = f"{name} has the segment {index}, its seeds and the odds of its version draw {expected}"
                self._refuse("changed result", detail)

    def first_use(self, client_seed: str) -> datetime:
        """When the member first used a client seed, in a spin or in a rotation."""
        spins = [spin["spun_at"] for spin in self.spins.values() if spin["fairness"]["client_seed"] == client_seed]
        rotations = [s["activated_at"] for s in self.seeds.values() if s["chosen_client_seed"] == client_seed]
        return min(_time(use) for use in spins + rotations)

    def chosen_by(self, spin: dict[str, Any]) -> str:
        """Who chose the client seed of a spin: `member` or `house`."""
        client_seed = spin["fairness"]["client_seed"]
        made = _time(self.seeds[spin["fairness"]["server_seed_hash"]]["created_at"])
        is_members = client_seed != self.member and self.first_use(client_seed) > made
        return "member" if is_members else "house"

    def _remark_versions(self) -> None:
        younger: dict[tuple[int, str], int] = defaultdict(int)
        for spin in self.spins.values():
            version, client_seed = self.versions.get(spin["version"]), spin["fairness"]["client_seed"]
            if version and _time(version["published_at"]) > self.first_use(client_seed):
                younger[spin["version"], client_seed] += 1
        for (number, client_seed), count in younger.items():
            self.remarks.append(
                f"version {number} of the wheel is younger than the client seed {client_seed} ({count} spins): "
                "whoever chose its odds could know the seeds"
            )

    def _check_notes(self, notes: list[Any]) -> None:
        noted: set[str] = set()
        for note in notes:
            pair = (
                [note] if isinstance(note, str) else [note.get("server_seed_hash"), note.get("next_server_seed_hash")]
            )
            noted |= {published for published in pair if published}
            if isinstance(note, str):
                continue
            if "revealed" in note:
                noted.add(note["revealed"]["server_seed_hash"])
            if "nonce" in note:
                self._check_noted_nonce(note)
            if "segment_index" in note:
                noted.add(note["fairness"]["server_seed_hash"])
                self._check_receipt(note)
            for wheel in (note, note.get("next")):
                if wheel and "segments" in wheel and wheel["version"] in self.versions:
                    self._check_noted_wheel(wheel)
        for published in sorted(noted - self.seeds.keys()):
            self._refuse("commitment differs from the one noted before", f"no seed has {published}")
        unnoted = [published for published in self.seeds if published not in noted]
        if unnoted:
            self.remarks.append(f"{len(unnoted)} of {len(self.seeds)} commitments are not among what you noted before")

    def _check_noted_nonce(self, note: dict[str, Any]) -> None:
        seed = self.seeds.get(note["server_seed_hash"])
        following = self.seeds.get(note["next_server_seed_hash"])
        if seed and seed["spins"] < note["nonce"]:
            detail = (
                f"{note['server_seed_hash']} had drawn {note['nonce']} spins when you noted it, now {seed['spins']}"
            )
            self._refuse("left-out spin", detail)
        if seed and following and seed["revealed_at"] != following["activated_at"]:
            detail = f"{note['next_server_seed_hash']} did not follow {note['server_seed_hash']}"
            self._refuse("swapped seed", detail)

    def _check_receipt(self, receipt: dict[str, Any]) -> None:
        spin = self.spins.get(receipt["id"])
        if spin is None:
            self._refuse("left-out spin", f"spin {receipt['id']}, whose receipt you noted, is not listed")
            return
        fixed = ("server_seed_hash", "client_seed", "nonce")
        if any(spin["fairness"][key] != receipt["fairness"][key] for key in fixed):
            self._refuse("changed inputs", f"spin {receipt['id']} has other inputs than the receipt that you noted")
        if spin["segment_index"] != receipt["segment_index"]:
            self._refuse("changed result", f"spin {receipt['id']} has another segment than the receipt that you noted")

    def _check_noted_wheel(self, wheel: dict[str, Any]) -> None:
        if self.versions[wheel["version"]]["segments"] != _plain(wheel["segments"]):
            self._refuse("changed odds", f"version {wheel['version']} of the wheel is not the one that you noted")

    def summary(self) -> str:
        """One line on how many spins were checked."""
        shown = {published for published, seed in self.seeds.items() if seed["server_seed"]}
        revealed = [spin for spin in self.spins.values() if spin["fairness"]["server_seed_hash"] in shown]
        by = [self.chosen_by(spin) for spin in revealed]
        return (
            f"{len(revealed)} of {len(self.spins)} spins have a revealed seed: client seed by the member "
            f"{by.count('member')}, by the house {by.count('house')}; {self.adopted} older spins cannot be verified"
        )


def _plain(segments: list[dict[str, Any]]) -> list[tuple[str, int, float]]:
    return [(segment["label"], segment["weight"], float(segment["value"])) for segment in segments]


def _time(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def _answer(file: str, fields: set[str]) -> dict[str, Any]:
    """Read a saved answer, which must have one of the fields. Its encoding is detected: some shells write UTF-16."""
    try:
        content = Path(file).read_bytes()
        answer = json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        sys.exit(f"{file} cannot be read as JSON: {error}")
    if not isinstance(answer, dict) or not fields & answer.keys():
        sys.exit(f"{file} is not one of the answers that belong here: {str(answer)[:200]}")
    return answer


def verify_history(arguments: list[str]) -> int:
    """Print what is refused and what is remarked, and return the exit status."""
    border = arguments.index("--noted") if "--noted" in arguments else len(arguments)
    files, noted = arguments[:border], arguments[border + 1 :]
    history = History([_answer(file, OF_HISTORY) for file in files])
    if history.member is None:
        sys.exit("The member is unknown: add the answer of GET /v1/me.")
    history.check([note if COMMITMENT.fullmatch(note) else _answer(note, OF_NOTES) for note in noted])
    for line in history.remarks:
        print("note:", line)
    for line in history.refused:
        print("refused:", line)
    print(history.summary())
    print("refused" if history.refused else "nothing is refused")
    return 1 if history.refused else 0


def main(arguments: list[str]) -> int:
    """Verify one spin, or a history."""
    if arguments[:1] == ["--history"] and len(arguments) > 1:
        return verify_history(arguments[1:])
    if len(arguments) < 4:
        sys.exit(__doc__)
    try:
        seed, nonce = bytes.fromhex(arguments[0]), int(arguments[2])
        weights = [int(weight) for weight in arguments[3:]]
    except ValueError as error:
        sys.exit(f"{error}\n{__doc__}")
    if nonce < 0 or min(weights) < 1:
        sys.exit("The nonce must be at least 0, and each weight at least 1.")
    number, segment = draw(seed, arguments[1], nonce, weights)
    print("commitment:", hashlib.sha256(seed).hexdigest())
    print("drawn:", number)
    print("segment_index:", segment)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
