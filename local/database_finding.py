"""What a look at a database tells: one line each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be, and what to do about it."""

    what: str
    do: str
    is_harmless: bool = False
    """It is only told: the platform works with it."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.what}: {self.do}"
