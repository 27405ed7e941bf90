"""`make clock TO=…`: move the clock of the running platform forward, and print what ran; without TO, what it shows."""

import sys

import httpx

from database.local import FOLDER
from local import running

SUCCESS = 200


def main(to: str) -> None:
    """Move the clock, or show it; exit with 1 and a sentence when it does not move."""
    platform = running.find(FOLDER)
    if platform is None:
        sys.exit("`make run` is not running in this checkout: start it, in another terminal.")
    url = f"http://127.0.0.1:{platform.api_port}/clock"
    with httpx.Client(timeout=None, trust_env=False) as client:  # noqa: S113  the runs that are due take as long as they take
        answer = client.post(url, json={"to": to}) if to else client.get(url)
    if answer.status_code != SUCCESS:
        sys.exit(answer.json()["message"])
    if to:
        print("\n".join(answer.json()["lines"]))
    else:
        shown = answer.json()
        print(f"The clock shows {shown['shows']} and runs {shown['speed']} times as fast as the real one.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
