"""README.md: the settings of `make run` and the targets of `make` are those that there are."""

import re

import pytest

from local.template import build_parameters
from tests.infrastructure.project import ROOT

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
DATABASE_URL = "postgresql://postgres@127.0.0.1:5432/goatedvips"


class Recorder(dict[str, str]):
    """Records which settings are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return default


def test_every_setting_is_described() -> None:
    chosen = Recorder()
    build_parameters(DATABASE_URL, "", chosen)
    assert len(chosen.names) > 4
    assert {name for name in chosen.names if f"| `{name}=" not in README} == set()


def test_the_origins_that_browsers_may_call_from_are_written_down() -> None:
    default = build_parameters(DATABASE_URL, "", {})["AllowedOrigins"]
    assert f"without it `{default}`" in README
    assert "CORS error" in README


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^    )make ([a-z-]+)", README, re.MULTILINE))))
def test_every_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
