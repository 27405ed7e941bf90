"""A file holds one thing, and a folder is one room."""

from pathlib import Path

import pytest

from tests.infrastructure.project import ROOT

MOST_FILES = 15  # modules in one folder
LONGEST = {"shared": 300, "local": 300, "database": 300, "tools": 300, "migrations": 300, "tests": 500}  # lines a file
ROOMS = ("shared/goatedvips/domain", "local", "database", "tools")
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base_service"}


def modules(place: str) -> list[Path]:
    """Every module of a place, its subfolders included."""
    files = [file for file in (ROOT / place).rglob("*.py") if "node_modules" not in file.parts]
    assert files
    return files


@pytest.mark.parametrize("room", ROOMS)
def test_no_folder_is_a_drawer(room: str) -> None:
    folders = {file.parent for file in modules(room)}
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := len([file for file in folder.glob("*.py") if file.name != "__init__.py"])) > MOST_FILES
    }
    assert not crowded


@pytest.mark.parametrize("place", LONGEST)
def test_no_file_is_longer_than_one_thing(place: str) -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in modules(place)}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST[place]} == {}


def test_every_name_says_something() -> None:
    named = [file for place in [*LONGEST, "functions"] for file in modules(place)]
    assert not [str(file.relative_to(ROOT)) for file in named if file.stem in SAYS_NOTHING]
