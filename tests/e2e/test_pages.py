"""The pages behind links in mail: Chromium requests them, and the real handlers answer."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from goatedvips.domain.notifications import mailed_tokens, unsubscribe_tokens
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from tests.support.credentials import NEW_PASSWORD, STORED, log_in, row
from tests.support.functions import Functions
from tests.support.members import Member, Members

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ORIGIN = "https://api.goatedvips.example"
PAGES = {"/verify", "/reset", "/newsletter/confirm"}
ENDPOINTS = {
    "/v1/email-verifications/confirm": "verify_email",
    "/v1/password-resets/confirm": "reset_password",
    "/v1/newsletter/confirmations": "confirm_subscription",
    "/v1/newsletter/subscriptions": "subscribe",
}
UNSUBSCRIBE = "/v1/newsletter/unsubscribe?token="

type Link = tuple[str, str, Callable[[], object]]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], headless=True)
        yield browser
        browser.close()


class Site:
    """The API as the browser sees it; `broken` is the status or network error of the next answers."""

    def __init__(self, page: Page, functions: Functions) -> None:
        self.page = page
        self.broken: int | str | None = None
        self.posted: list[str] = []
        self.complaints: list[str] = []
        self._functions = functions
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("**/*", self._answer)

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:  # and no advice on forms
            self.complaints.append(text)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path in PAGES:
            answer = self._functions.call("show_page", path=path)
        elif path.startswith(UNSUBSCRIBE):
            request, token = route.request, path.removeprefix(UNSUBSCRIBE)
            answer = self._functions.call(
                "unsubscribe",
                method=request.method,
                query={"token": token},
                headers=request.headers,
                raw=request.post_data or "",
            )
        elif path in ENDPOINTS and route.request.method == "POST":
            self.posted.append(path)
            if isinstance(self.broken, str):
                return route.abort(self.broken)
            if isinstance(self.broken, int):
                return route.fulfill(status=self.broken, json={"message": "Service Unavailable"})
            answer = self._functions.call(ENDPOINTS[path], raw=route.request.post_data)
        else:
            return route.fulfill(status=204)  # the browser's request for an icon
        return route.fulfill(status=answer.status, headers=answer.headers, body=answer.text)

    def open(self, path: str, token: str | None) -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{ORIGIN}{path}" + ("" if token is None else f"#token={token}"))


@pytest.fixture
def site(browser: Browser, functions: Functions) -> Iterator[Site]:
    page = browser.new_page(viewport={"width": 360, "height": 640})
    yield Site(page, functions)
    page.close()


@pytest.fixture
def reset(database: sa.Engine, members: Members) -> tuple[Member, str]:
    """A member with a token that sets their password."""
    member, now = members.new(password=STORED, seeds=False), datetime.now(UTC)
    with database.connect() as connection:
        token = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=now, now=now)
    assert token is not None
    return member, token


@pytest.fixture(params=["/verify", "/newsletter/confirm"])
def link(request: pytest.FixtureRequest, database: sa.Engine, members: Members) -> Link:
    """A page's path, a token as it is mailed, and a look at whether it was used."""
    now = datetime.now(UTC)
    with database.connect() as connection:
        if request.param == "/verify":
            member = members.new(email_verified=False, seeds=False)
            token = mailed_tokens.make_for_member(connection, member.id, member.email, now=now)
            look = sa.select(users.c.email_verified).where(users.c.id == member.id)
        else:
            given = {"email": f"{secrets.token_hex(6)}@example.com", "is_subscribed": False}
            row = connection.execute(sa.insert(subscriptions).values(given).returning(subscriptions)).one()
            token = mailed_tokens.make_for_subscription(connection, row.id, asked_at=now, now=now)
            look = sa.select(subscriptions.c.is_subscribed).where(subscriptions.c.id == row.id)

    def done() -> object:
        with database.connect() as connection:
            return connection.execute(look).scalar_one()

    assert token is not None
    return request.param, token, done


def test_nothing_happens_until_the_button_is_pressed(site: Site, link: Link) -> None:
    path, token, done = link
    site.open(path, token)
    button = site.page.get_by_role("button")
    expect(button).to_be_visible()
    assert site.posted == []
    assert done() is False
    button.focus()
    site.page.keyboard.press("Enter")
    expect(site.page.get_by_role("status")).to_contain_text("Thank you")
    expect(button).to_be_hidden()
    assert done() is True
    assert len(site.posted) == 1
    assert token not in site.page.url
    assert site.complaints == [], "its own policy lets it do what it does"


def test_an_invalid_link_is_explained(site: Site, link: Link) -> None:
    path, token, done = link
    for wrong in ("made-up", token[::-1], "%00", "x" * 300):
        site.open(path, wrong)
        site.page.get_by_role("button").click()
        expect(site.page.get_by_role("status")).to_contain_text("This link is not valid")
        expect(site.page.get_by_role("button")).to_be_hidden()
    assert done() is False
    site.open(path, None)
    expect(site.page.get_by_role("status")).to_contain_text("This link is not valid")
    expect(site.page.get_by_role("button")).to_be_hidden()


@pytest.mark.parametrize(("broken", "message"), [(503, "Try again in a moment"), ("internetdisconnected", "offline")])
def test_a_failed_request_can_be_repeated(site: Site, link: Link, broken: int | str, message: str) -> None:
    path, token, done = link
    site.open(path, token)
    site.broken = broken
    site.page.get_by_role("button").click()
    expect(site.page.get_by_role("status")).to_contain_text(message)
    assert done() is False
    site.broken = None
    site.page.get_by_role("button").click()
    expect(site.page.get_by_role("status")).to_contain_text("Thank you")
    assert done() is True


def test_a_page_fits_a_phone_and_can_be_read_by_a_screen_reader(site: Site, link: Link) -> None:
    path, token, _ = link
    site.open(path, token)
    assert site.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert site.page.evaluate("document.documentElement.lang") == "en"
    expect(site.page.get_by_role("main").get_by_role("heading", level=1)).to_have_count(1)
    box = site.page.get_by_role("button").bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_the_content_security_policy_stops_injected_content(site: Site) -> None:
    site.open("/verify", "<img src=x onerror=alert(1)>")
    site.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<button onclick=\"document.title=1\">x</button>')"
    )
    site.page.get_by_role("button", name="x", exact=True).click()
    assert site.page.title() != "1"
    assert any("Content Security Policy" in complaint for complaint in site.complaints)


def test_a_password_is_set_by_the_form(site: Site, reset: tuple[Member, str], functions: Functions) -> None:
    member, token = reset
    site.open("/reset", token)
    field = site.page.get_by_label("New password")
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", "new-password")
    assert site.posted == []
    field.fill(NEW_PASSWORD)
    field.press("Enter")
    expect(site.page.get_by_role("status")).to_contain_text("your new password is set")
    expect(field).to_be_hidden()
    assert len(site.posted) == 1
    assert token not in site.page.url
    assert site.complaints == []
    assert log_in(functions, member.username, NEW_PASSWORD, datetime.now(UTC)).status == 201


def test_a_refused_password_is_explained_and_can_be_replaced(
    site: Site, reset: tuple[Member, str], database: sa.Engine
) -> None:
    member, token = reset
    site.open("/reset", token)
    field, button = site.page.get_by_label("New password"), site.page.get_by_role("button")
    for short in ("", "eleven char"):
        field.fill(short)
        button.click()
        assert site.posted == [], "the browser itself says so"
    for refused, why in (
        ("1q2w3e4r5t6y", "must not be one of the commonest passwords"),
        (member.username, "must not be the username or the e-mail address"),
        ("a" * 129, "should have at most 128 characters"),
    ):
        field.fill(refused)
        button.click()
        expect(site.page.get_by_role("status")).to_contain_text(why)
        expect(field).to_be_focused()
    assert row(database, member).password == STORED
    field.fill(NEW_PASSWORD)
    button.click()
    expect(site.page.get_by_role("status")).to_contain_text("Thank you")
    assert row(database, member).password != STORED


def test_an_invalid_link_to_the_password_form_is_explained(site: Site, reset: tuple[Member, str]) -> None:
    _, token = reset
    for wrong in (token[::-1], "x" * 300, None):
        site.open("/reset", wrong)
        if wrong is not None:
            site.page.get_by_label("New password").fill(NEW_PASSWORD)
            site.page.get_by_role("button").click()
        expect(site.page.get_by_role("status")).to_contain_text("This link is not valid")
        expect(site.page.get_by_role("button")).to_be_hidden()


def test_the_form_fits_a_phone_and_a_failed_request_can_be_repeated(site: Site, reset: tuple[Member, str]) -> None:
    site.open("/reset", reset[1])
    assert site.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    field = site.page.get_by_label("New password")
    box = field.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    field.fill(NEW_PASSWORD)
    site.broken = 503
    site.page.get_by_role("button").click()
    expect(site.page.get_by_role("status")).to_contain_text("Try again in a moment")
    site.broken = None
    site.page.get_by_role("button").click()
    expect(site.page.get_by_role("status")).to_contain_text("Thank you")


def test_a_new_email_is_confirmed_or_belongs_to_another_account(
    site: Site, members: Members, database: sa.Engine
) -> None:
    member, now = members.new(seeds=False), datetime.now(UTC)
    for email, message in ((members.new(seeds=False).email, "has an account"), (f"new-{member.email}", "Thank you")):
        with database.connect() as connection:
            token = mailed_tokens.make_for_change(connection, member.id, email, asked_at=now, now=now)
        site.open("/verify", token)
        site.page.get_by_role("button").click()
        expect(site.page.get_by_role("status")).to_contain_text(message)
        expect(site.page.get_by_role("button")).to_be_hidden()
    assert row(database, member).email == f"new-{member.email}"


@pytest.fixture
def subscribed(database: sa.Engine) -> tuple[str, str, Callable[[], list[object]]]:
    """A subscribed e-mail address, the path that a mail to it leads to, and a look at its subscription."""
    email = f"reader-{secrets.token_hex(6)}@example.com"
    state = sa.select(subscriptions.c.is_subscribed, subscriptions.c.confirmation_sent_at.is_not(None))

    def look() -> list[object]:
        with database.connect() as connection:
            return [*connection.execute(state.where(subscriptions.c.email == email)).one()]

    with database.connect() as connection:
        connection.execute(sa.insert(subscriptions).values(email=email))
        path = UNSUBSCRIBE + unsubscribe_tokens.sign(connection, "newsletter", email)
    return email, path, look


@pytest.mark.parametrize("has_script", [True, False])
def test_unsubscribing_takes_one_press_and_no_script(
    browser: Browser,
    functions: Functions,
    subscribed: tuple[str, str, Callable[[], list[object]]],
    has_script: bool,
) -> None:
    email, path, look = subscribed
    context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=has_script)
    site = Site(context.new_page(), functions)
    site.page.goto(ORIGIN + path)
    expect(site.page.get_by_role("main")).to_contain_text(
        "Do you want to stop the GoatedVIPs newsletter to r•••@e•••.com"
    )
    assert email not in site.page.content()
    assert look() == [True, False]
    button = site.page.get_by_role("button", name="Unsubscribe")
    box = button.bounding_box()
    assert box is not None
    assert (box["height"] >= 44, box["x"] + box["width"] <= 360) == (True, True)
    button.click()
    expect(site.page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    assert look() == [False, False]
    site.page.reload()
    expect(site.page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    assert site.complaints == []
    context.close()


def test_the_page_leads_to_a_new_double_opt_in(
    site: Site, subscribed: tuple[str, str, Callable[[], list[object]]]
) -> None:
    email, path, look = subscribed
    site.page.goto(ORIGIN + path)
    site.page.get_by_role("button", name="Unsubscribe").click()
    site.page.get_by_text("Subscribe again").click()
    site.page.get_by_label("E-mail address").fill(email)
    site.broken = 503
    site.page.get_by_role("button", name="Send me the link").click()
    expect(site.page.get_by_role("status")).to_contain_text("Try again in a moment")
    site.broken = None
    site.page.get_by_role("button", name="Send me the link").click()
    expect(site.page.get_by_role("status")).to_contain_text("look for our mail")
    assert look() == [False, True], "it is not subscribed before the new token is used"
    assert site.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_unsubscribe_link_that_is_not_whole_is_explained(
    site: Site, subscribed: tuple[str, str, Callable[[], list[object]]]
) -> None:
    _, path, look = subscribed
    site.page.goto(ORIGIN + path[:-3])
    expect(site.page.get_by_role("heading", level=1)).to_have_text("This link is invalid, used or expired")
    assert look() == [True, False]
