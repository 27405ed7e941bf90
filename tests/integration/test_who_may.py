"""Who may call what: every route of the template, as each kind of person, against what the product says.

The routes are the template's, so that one added later fails here until it is in the table.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.domain.notifications import unsubscribe_tokens
from goatedvips.models.accounts import account_links, mailed_tokens
from goatedvips.models.newsletter import newsletter_subscriptions
from tests.infrastructure.project import FUNCTIONS
from tests.support import ledger
from tests.support.campaigns import Campaigns
from tests.support.codes import Codes
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.readings import Readings
from tests.support.rows import insert_row
from tests.support.spins import Spins, remove_versions
from tests.support.tickets import Tickets
from tests.support.tiers import Tiers

ROUTES = {route: function for function in FUNCTIONS for route in function.template_routes}
NOW = datetime.now(UTC)
PASSWORD = "goats like long walks"
STORED = passwords.hash_password(PASSWORD, legacy=False)

# The last three act on what is their own; nobody, others and staff on a member's.
PERSONS = ("nobody", "other", "staff", "member", "excluded", "suspended")
ANSWERS = {
    "POST /v1/accounts": (201, 201, 201, 201, 201, 201),
    "POST /v1/sessions": (201, 201, 201, 201, 201, 403),
    "DELETE /v1/sessions/current": (401, 204, 204, 204, 204, 401),
    "POST /v1/email-verifications": (401, 202, 202, 202, 202, 401),
    "POST /v1/email-verifications/confirm": (200, 200, 200, 200, 200, 200),
    "POST /v1/password-resets": (202, 202, 202, 202, 202, 202),
    "POST /v1/password-resets/confirm": (204, 204, 204, 204, 204, 404),
    "GET /v1/me": (401, 200, 200, 200, 200, 401),
    "PATCH /v1/me": (401, 200, 200, 200, 200, 401),
    "POST /v1/me/password": (401, 204, 204, 204, 204, 401),
    "POST /v1/me/email": (401, 202, 202, 202, 202, 401),
    "GET /v1/me/notification-preferences": (401, 200, 200, 200, 200, 401),
    "PATCH /v1/me/notification-preferences": (401, 200, 200, 200, 200, 401),
    "GET /v1/me/notifications": (401, 200, 200, 200, 200, 401),
    "POST /v1/me/notifications/read": (401, 204, 204, 204, 204, 401),
    "POST /v1/me/push-subscriptions": (401, 201, 201, 201, 201, 401),
    "DELETE /v1/me/push-subscriptions": (401, 204, 204, 204, 204, 401),
    "GET /v1/me/export": (401, 200, 200, 200, 200, 401),
    "POST /v1/me/erasure": (401, 204, 204, 204, 204, 401),
    "POST /v1/me/exclusion": (401, 201, 201, 201, 201, 401),
    "DELETE /v1/me/exclusion": (401, 204, 204, 204, 409, 401),
    "POST /v1/me/account-link": (401, 202, 202, 202, 202, 401),
    "GET /v1/users/{id}": (200, 200, 200, 200, 200, 404),
    "GET /v1/admin/members": (401, 403, 200, 403, 403, 401),
    "GET /v1/admin/members/{id}": (401, 403, 200, 403, 403, 401),
    "PATCH /v1/admin/members/{id}": (401, 403, 200, 403, 403, 401),
    "GET /v1/admin/account-links": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/account-links/{id}/decision": (401, 403, 200, 403, 403, 401),
    "GET /v1/admin/overview": (401, 403, 200, 403, 403, 401),
    "GET /v1/wheel": (200, 200, 200, 200, 200, 200),
    "GET /v1/me/wheel": (401, 200, 200, 200, 200, 401),
    "POST /v1/wheel/spins": (401, 201, 201, 201, 403, 401),
    "GET /v1/wheel/spins": (401, 200, 200, 200, 200, 401),
    "GET /v1/wheel/spins/{id}": (401, 404, 404, 200, 200, 401),
    "GET /v1/wheel/seeds": (401, 200, 200, 200, 200, 401),
    "POST /v1/wheel/seeds": (401, 409, 409, 201, 201, 401),
    "PUT /v1/admin/wheel": (401, 403, 201, 403, 403, 401),
    "GET /v1/tiers": (200, 200, 200, 200, 200, 200),
    "PUT /v1/admin/tiers": (401, 403, 201, 403, 403, 401),
    "POST /v1/codes/claim": (401, 201, 201, 201, 403, 401),
    "GET /v1/codes": (401, 200, 200, 200, 200, 401),
    "POST /v1/admin/codes": (401, 403, 201, 403, 403, 401),
    "GET /v1/admin/codes": (401, 403, 200, 403, 403, 401),
    "DELETE /v1/admin/codes": (401, 403, 200, 403, 403, 401),
    "DELETE /v1/admin/codes/{id}": (401, 403, 204, 403, 403, 401),
    "GET /v1/me/rewards": (401, 200, 200, 200, 200, 401),
    "GET /v1/admin/rewards": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/rewards": (401, 403, 201, 403, 403, 401),
    "GET /v1/admin/payouts": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/payouts": (401, 403, 201, 403, 403, 401),
    "GET /v1/admin/payouts/{id}": (401, 403, 200, 403, 403, 401),
    "DELETE /v1/admin/payouts/{id}": (401, 403, 204, 403, 403, 401),
    "POST /v1/admin/payouts/{id}/reference": (401, 403, 200, 403, 403, 401),
    "GET /v1/races": (200, 200, 200, 200, 200, 200),
    "GET /v1/races/history": (200, 200, 200, 200, 200, 200),
    "GET /v1/races/history/{id}": (200, 200, 200, 200, 200, 200),
    "GET /v1/races/{id}": (200, 200, 200, 200, 200, 200),
    "GET /v1/races/{id}/leaderboard": (200, 200, 200, 200, 200, 200),
    "GET /v1/me/statements": (401, 200, 200, 200, 200, 401),
    "GET /v1/leaderboards/{period}": (200, 200, 200, 200, 200, 200),
    "POST /v1/races/{id}/participants": (401, 201, 201, 201, 403, 401),
    "GET /v1/races/{id}/standing": (401, 404, 404, 200, 200, 401),
    "DELETE /v1/races/{id}/participants/me": (401, 404, 404, 204, 204, 401),
    "POST /v1/admin/races": (401, 403, 201, 403, 403, 401),
    "PATCH /v1/admin/races/{id}": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/races/{id}/cancellation": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/races/{id}/settlement": (401, 403, 200, 403, 403, 401),
    "PATCH /v1/admin/races/{id}/participants/{user_id}": (401, 403, 200, 403, 403, 401),
    "GET /v1/admin/feed": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/feed/acceptance": (401, 403, 200, 403, 403, 401),
    "POST /v1/tickets": (401, 201, 201, 201, 201, 401),
    "GET /v1/tickets": (401, 200, 200, 200, 200, 401),
    "GET /v1/tickets/{id}": (401, 404, 200, 200, 200, 401),
    "POST /v1/tickets/{id}/messages": (401, 404, 201, 201, 201, 401),
    "POST /v1/tickets/{id}/closure": (401, 404, 200, 200, 200, 401),
    "GET /v1/admin/tickets": (401, 403, 200, 403, 403, 401),
    "PATCH /v1/admin/tickets/{id}": (401, 403, 200, 403, 403, 401),
    "POST /v1/newsletter/subscriptions": (202, 202, 202, 202, 202, 202),
    "POST /v1/newsletter/confirmations": (200, 200, 200, 200, 200, 200),
    "GET /v1/admin/newsletter/subscriptions": (401, 403, 200, 403, 403, 401),
    "GET /v1/newsletter/unsubscribe": (200, 200, 200, 200, 200, 200),
    "HEAD /v1/newsletter/unsubscribe": (200, 200, 200, 200, 200, 200),
    "POST /v1/newsletter/unsubscribe": (200, 200, 200, 200, 200, 200),
    "GET /v1/admin/campaigns": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/campaigns": (401, 403, 201, 403, 403, 401),
    "GET /v1/admin/campaigns/{id}": (401, 403, 200, 403, 403, 401),
    "PATCH /v1/admin/campaigns/{id}": (401, 403, 200, 403, 403, 401),
    "POST /v1/admin/campaigns/{id}/test": (401, 403, 202, 403, 403, 401),
    "GET /v1/health": (200, 200, 200, 200, 200, 200),
    "GET /v1/openapi.json": (200, 200, 200, 200, 200, 200),
    "GET /verify": (200, 200, 200, 200, 200, 200),
    "GET /reset": (200, 200, 200, 200, 200, 200),
    "GET /newsletter/confirm": (200, 200, 200, 200, 200, 200),
    "GET /problems/{code}": (200, 200, 200, 200, 200, 200),
    "HEAD /verify": (200, 200, 200, 200, 200, 200),
    "HEAD /reset": (200, 200, 200, 200, 200, 200),
    "HEAD /newsletter/confirm": (200, 200, 200, 200, 200, 200),
    "HEAD /problems/{code}": (200, 200, 200, 200, 200, 200),
}


@dataclass(frozen=True)
class Things:
    """What a request is about: the owner's own, or made for it."""

    database: sa.Engine
    members: Members
    owner: Member

    def campaign(self) -> int:
        return Campaigns(self.database).new(status="draft")

    def token(self, purpose: str, address: str) -> str:
        token = secrets.token_urlsafe(32)
        insert_row(
            self.database,
            mailed_tokens,
            purpose=purpose,
            token_hash=hashlib.sha256(token.encode()).digest(),
            address=address,
            user_id=self.owner.id,
            created_at=NOW,
            expires_at=NOW + timedelta(hours=1),
        )
        return token

    def subscriber(self) -> str:
        email = fresh_email()
        insert_row(self.database, newsletter_subscriptions, email=email, email_key=email, is_subscribed=False)
        return email

    def unsubscribe_token(self) -> str:
        with self.database.connect() as connection:
            return unsubscribe_tokens.sign(connection, "newsletter", self.subscriber())

    def link(self) -> int:
        return insert_row(
            self.database, account_links, user_id=self.owner.id, uid=secrets.token_hex(8), requested_at=NOW
        )

    def ticket(self) -> int:
        return Tickets(self.database).new(self.owner.id)

    def spin(self) -> int:
        return Spins(self.database).new(self.owner.id, NOW)

    def race(self) -> int:
        return Races(self.database).new(start_date=NOW + timedelta(days=1), end_date=NOW + timedelta(days=8))

    def joined(self) -> int:
        race_id = self.race()
        Races(self.database).enter(race_id, self.owner.id)
        return race_id

    def fall(self) -> dict[str, str]:
        uid = secrets.token_hex(8)
        for hours, total in ((2, "100"), (1, "90")):
            Readings(self.database).feed(NOW - timedelta(hours=hours), {uid: total})
        return {"uid": uid, "total": "90", "reason": "The casino took a bonus back."}

    def payout(self) -> int:
        return ledger.payout(self.database, self.owner.id, "5.00", ledger.reward(self.database, self.owner.id, "5.00"))

    def code(self) -> str:
        return Codes(self.database).new().code


def fresh_email() -> str:
    return f"{secrets.token_hex(8)}@example.com"


# What differs from the function's sample event.
REQUESTS: dict[str, Callable[[Things], dict[str, Any]]] = {
    "POST /v1/accounts": lambda _: {
        "body": {"username": f"kid-{secrets.token_hex(6)}", "email": fresh_email(), "password": PASSWORD},
        "address": f"2001:db8:{secrets.randbelow(65536):x}::1",
    },
    "POST /v1/sessions": lambda things: {
        "body": {"login": things.owner.username, "password": PASSWORD},
        "address": f"2001:db8:{secrets.randbelow(65536):x}::1",
    },
    "POST /v1/email-verifications/confirm": lambda things: {
        "body": {"token": things.token("email_verification", things.owner.email)}
    },
    "POST /v1/password-resets": lambda things: {"body": {"email": things.owner.email}},
    "POST /v1/password-resets/confirm": lambda things: {
        "body": {"token": things.token("password_reset", things.owner.email), "password": "another long walk"}
    },
    "POST /v1/me/password": lambda _: {"body": {"current_password": PASSWORD, "new_password": "another long walk"}},
    "POST /v1/me/email": lambda _: {"body": {"email": fresh_email(), "current_password": PASSWORD}},
    "POST /v1/me/erasure": lambda _: {"body": {"password": PASSWORD}},
    "POST /v1/me/exclusion": lambda _: {"body": {"permanent": True}},
    "POST /v1/me/account-link": lambda _: {"body": {"uid": secrets.token_hex(8)}},
    "GET /v1/users/{id}": lambda things: {"path": f"/v1/users/{things.owner.id}"},
    "GET /v1/admin/members/{id}": lambda things: {"path": f"/v1/admin/members/{things.owner.id}"},
    "PATCH /v1/admin/members/{id}": lambda things: {
        "path": f"/v1/admin/members/{things.owner.id}",
        "body": {"email_verified": False},
    },
    "POST /v1/admin/account-links/{id}/decision": lambda things: {
        "path": f"/v1/admin/account-links/{things.link()}/decision",
        "body": {"decision": "approved", "reason": "It is theirs."},
    },
    "GET /v1/wheel/spins/{id}": lambda things: {"path": f"/v1/wheel/spins/{things.spin()}"},
    "POST /v1/wheel/seeds": lambda things: {"body": {"client_seed": f"after-spin-{things.spin()}"}},
    "POST /v1/codes/claim": lambda things: {"body": {"code": things.code()}},
    "POST /v1/admin/codes": lambda _: {"body": {"value": "5.00", "expires_at": "2999-01-01T00:00:00Z"}},
    "DELETE /v1/admin/codes": lambda things: {"query": {"batch_id": str(Codes(things.database).batch())}},
    "DELETE /v1/admin/codes/{id}": lambda things: {
        "path": f"/v1/admin/codes/{Codes(things.database).new(user_id=things.owner.id).id}"
    },
    "POST /v1/admin/rewards": lambda things: {
        "body": {"user_id": things.owner.id, "amount": "5.00", "reason": "Thank you."}
    },
    "GET /v1/admin/payouts/{id}": lambda things: {"path": f"/v1/admin/payouts/{things.payout()}"},
    "DELETE /v1/admin/payouts/{id}": lambda things: {"path": f"/v1/admin/payouts/{things.payout()}"},
    "POST /v1/admin/payouts/{id}/reference": lambda things: {"path": f"/v1/admin/payouts/{things.payout()}/reference"},
    "GET /v1/races/{id}": lambda things: {"path": f"/v1/races/{things.race()}"},
    "GET /v1/leaderboards/{period}": lambda _: {"path": "/v1/leaderboards/today"},
    "GET /v1/races/{id}/leaderboard": lambda things: {"path": f"/v1/races/{things.race()}/leaderboard"},
    "POST /v1/races/{id}/participants": lambda things: {"path": f"/v1/races/{things.race()}/participants"},
    "GET /v1/races/{id}/standing": lambda things: {"path": f"/v1/races/{things.joined()}/standing"},
    "DELETE /v1/races/{id}/participants/me": lambda things: {"path": f"/v1/races/{things.joined()}/participants/me"},
    "PATCH /v1/admin/races/{id}": lambda things: {"path": f"/v1/admin/races/{things.race()}"},
    "POST /v1/admin/feed/acceptance": lambda things: {"body": things.fall()},
    "PATCH /v1/admin/races/{id}/participants/{user_id}": lambda things: {
        "path": f"/v1/admin/races/{things.joined()}/participants/{things.owner.id}"
    },
    "GET /v1/races/history/{id}": lambda things: {"path": f"/v1/races/history/{Races(things.database).archive()}"},
    "POST /v1/admin/races/{id}/settlement": lambda things: {
        "path": f"/v1/admin/races/{Races(things.database).new(settled_at=NOW)}/settlement",
        "body": {"dry_run": True},
    },
    "POST /v1/admin/races/{id}/cancellation": lambda things: {"path": f"/v1/admin/races/{things.race()}/cancellation"},
    "GET /v1/tickets/{id}": lambda things: {"path": f"/v1/tickets/{things.ticket()}"},
    "POST /v1/tickets/{id}/messages": lambda things: {"path": f"/v1/tickets/{things.ticket()}/messages"},
    "POST /v1/tickets/{id}/closure": lambda things: {"path": f"/v1/tickets/{things.ticket()}/closure"},
    "PATCH /v1/admin/tickets/{id}": lambda things: {
        "path": f"/v1/admin/tickets/{things.ticket()}",
        "body": {"priority": "high"},
    },
    "POST /v1/newsletter/subscriptions": lambda _: {"body": {"email": fresh_email()}},
    "POST /v1/newsletter/confirmations": lambda things: {
        "body": {"token": things.token("newsletter_confirmation", things.subscriber())}
    },
    "GET /v1/newsletter/unsubscribe": lambda things: {"query": {"token": things.unsubscribe_token()}},
    "HEAD /v1/newsletter/unsubscribe": lambda things: {"query": {"token": things.unsubscribe_token()}},
    "POST /v1/newsletter/unsubscribe": lambda things: {"query": {"token": things.unsubscribe_token()}},
    "GET /v1/admin/campaigns/{id}": lambda things: {"path": f"/v1/admin/campaigns/{things.campaign()}"},
    "PATCH /v1/admin/campaigns/{id}": lambda things: {"path": f"/v1/admin/campaigns/{things.campaign()}"},
    "POST /v1/admin/campaigns/{id}/test": lambda things: {"path": f"/v1/admin/campaigns/{things.campaign()}/test"},
    "GET /verify": lambda _: {"path": "/verify"},
    "GET /reset": lambda _: {"path": "/reset"},
    "GET /newsletter/confirm": lambda _: {"path": "/newsletter/confirm"},
    "HEAD /verify": lambda _: {"path": "/verify"},
    "HEAD /reset": lambda _: {"path": "/reset"},
    "HEAD /newsletter/confirm": lambda _: {"path": "/newsletter/confirm"},
}


@dataclass(frozen=True)
class Scene:
    """A person who calls, and whose things the call is about."""

    person: Member | None
    things: Things


def scene(kind: str, members: Members, database: sa.Engine) -> Scene:
    stored: dict[str, Any] = {"password": STORED}
    match kind:
        case "excluded":
            person = members.new(**stored, excluded_until=NOW + timedelta(days=1))
        case "suspended":
            person = members.new(**stored, suspended_at=NOW)
        case "staff":
            person = members.staff(**stored)
        case _:
            person = members.new(**stored)
    owner = members.new(**stored) if kind in {"nobody", "other", "staff"} else person
    return Scene(None if kind == "nobody" else person, Things(database, members, owner))


def call(functions: Functions, route: str, scene: Scene, by: Member | None) -> Any:
    changes = REQUESTS[route](scene.things) if route in REQUESTS else {}
    return functions.call(ROUTES[route].name, by=by, method=route.partition(" ")[0], **changes)


@pytest.fixture(autouse=True)
def _only_the_first_version_of_the_wheel_stays(database: sa.Engine) -> Iterator[None]:
    yield
    remove_versions(database)
    Tiers(database).remove_versions()


def test_the_table_has_every_route_of_the_template_and_no_other() -> None:
    assert set(ANSWERS) == set(ROUTES)
    assert set(REQUESTS) <= set(ROUTES)


@pytest.mark.parametrize("person", PERSONS)
@pytest.mark.parametrize("route", ANSWERS)
def test_each_person_is_answered_as_the_product_says(
    functions: Functions, members: Members, database: sa.Engine, route: str, person: str
) -> None:
    given = scene(person, members, database)
    by = given.person
    if by is not None:
        context = functions.invoke("authorize", {"identitySource": [f"Bearer {by.token}"]})["context"]
        assert context == ({} if person == "suspended" else by.caller)
        by = by if context and ROUTES[route].who != "anyone" else None
    answer = call(functions, route, given, by)
    assert answer.status == ANSWERS[route][PERSONS.index(person)], answer.text


REFUSALS = {
    "session": (401, "unauthenticated"),
    "account": (403, "account_suspended"),
    "rights": (403, "forbidden"),
}
# Every route for staff, and what members change.
LOSSES = [
    (route, lost)
    for route, function in ROUTES.items()
    for lost in REFUSALS
    if function.who == "staff" or (function.who == "member" and not route.startswith("GET ") and lost != "rights")
]


@pytest.mark.parametrize(("route", "lost"), LOSSES)
def test_what_was_lost_is_missed_at_once_whatever_the_authorizer_said_before(
    functions: Functions, members: Members, database: sa.Engine, route: str, lost: str
) -> None:
    given = scene("staff" if ROUTES[route].who == "staff" else "member", members, database)
    assert given.person is not None
    match lost:
        case "session":
            members.end_session(given.person)
        case "account":
            members.change(given.person, suspended_at=NOW)
        case "rights":
            members.change(given.person, is_admin=False)
    answer = call(functions, route, given, given.person)
    assert (answer.status, answer.json["code"]) == REFUSALS[lost]
