"""The settings that environment variables set."""

import pytest

from goatedvips import config


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("false", False), ("", False), (None, False)])
def test_a_switch_is_true_or_false(monkeypatch: pytest.MonkeyPatch, value: str | None, meant: bool) -> None:
    monkeypatch.delenv("VERIFIED_EMAIL_REQUIRED", raising=False)
    if value is not None:
        monkeypatch.setenv("VERIFIED_EMAIL_REQUIRED", value)
    assert config._read().verified_email_required is meant


@pytest.mark.parametrize("value", ["yes", "1", "True", " true"])
def test_a_misspelled_switch_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VERIFIED_EMAIL_REQUIRED", value)
    with pytest.raises(ValueError, match="VERIFIED_EMAIL_REQUIRED must be true or false"):
        config._read()


def test_links_lead_to_the_front_end_or_to_the_api_if_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_URL", "https://api.example/")
    assert config._read().link_base == "https://api.example"
    assert config._read().ticket_base == "https://api.example/v1/tickets"
    assert config._read().inbox_url == "https://api.example/v1/me/notifications"
    monkeypatch.setenv("APP_URL", "https://front.example/")
    assert config._read().link_base == "https://front.example"
    assert config._read().ticket_base == "https://front.example/admin/tickets"
    assert config._read().inbox_url == "https://front.example/notifications"


def test_every_setting_is_read_and_none_else() -> None:
    assert set(vars(config._read())) == set(config.Settings.__annotations__)
