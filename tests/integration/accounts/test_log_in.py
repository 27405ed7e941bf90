"""A member logs in."""

import hashlib
import secrets
import time
from collections.abc import Callable
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.timing import best_threshold, measure_pairs
from benchmarks.timing_questions import log_in_question
from goatedvips.domain import erased_identities
from goatedvips.domain.accounts import passwords
from goatedvips.models.accounts import attempts, sessions, users
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PASSWORD = "goats like long walks"
STORED = passwords.hash_password(PASSWORD, legacy=False)
BY_NODE = passwords.hash_password(PASSWORD, legacy=True)


def address() -> str:
    """One that no other test has used up."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def log_in(
    functions: Functions, login: str, password: str = PASSWORD, at: str | None = None, now: datetime = NOON
) -> Answer:
    return functions.call("log_in", body={"login": login, "password": password}, address=at or address(), now=now)


def read_attempts(database: sa.Engine, at: str) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(attempts).where(attempts.c.address == at)).all())


def the_password(database: sa.Engine, member: Member) -> str:
    with database.connect() as connection:
        return str(connection.scalar(sa.select(users.c.password).where(users.c.id == member.id)))


def test_a_session_of_30_days_is_opened_and_its_token_kept_as_a_hash(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    at = address()
    answer = log_in(functions, member.username, at=at)
    assert answer.status == 201
    token = answer.json["token"]
    assert len(token) == len("gvp_") + 43
    assert answer.json == {
        "token": token,
        "expires_at": "2026-05-31T12:00:00Z",
        "user": {
            "id": member.id,
            "username": member.username,
            "email": member.email,
            "email_verified": True,
            "is_staff": False,
        },
    }
    with database.connect() as connection:
        token_hash = hashlib.sha256(token.encode()).digest()
        session = connection.execute(sa.select(sessions).where(sessions.c.token_hash == token_hash)).one()
    assert (session.user_id, session.created_at, session.expires_at) == (member.id, NOON, NOON + timedelta(days=30))
    assert session.ended_at is None
    assert read_attempts(database, at) == [], "the attempt was taken back"
    assert the_password(database, member) == STORED


def test_the_token_authenticates_requests(functions: Functions, members: Members) -> None:
    member = members.new(password=STORED, is_staff=True)
    answer = log_in(functions, member.username, now=datetime.now(UTC)).json
    assert answer["user"]["is_staff"] is True
    context = functions.invoke("authorize", {"identitySource": [f"Bearer {answer['token']}"]})["context"]
    assert (context["user_id"], context["is_staff"]) == (member.id, True)


@pytest.mark.parametrize("spelling", [str, str.upper], ids=["as written", "in capitals"])
@pytest.mark.parametrize("field", ["username", "email"])
def test_a_username_or_an_e_mail_matches_ignoring_case(
    functions: Functions, members: Members, field: str, spelling: Callable[[str], str]
) -> None:
    member = members.new(password=STORED)
    answer = log_in(functions, spelling(getattr(member, field)))
    assert (answer.status, answer.json["user"]["id"]) == (201, member.id)


def test_the_exact_spelling_is_preferred(functions: Functions, members: Members) -> None:
    tail = secrets.token_hex(4)
    older = members.new(username=f"GOAT{tail}", username_key=f"goat{tail}", password=STORED)
    younger = members.new(username=f"Goat{tail}", username_key=None, password=STORED)
    mailed = members.new(email=f"Billy{tail}", email_key=f"billy{tail}", password=STORED)
    for login, member in (
        (f"GOAT{tail}", older),
        (f"Goat{tail}", younger),
        (f"goat{tail}", older),
        (f"BILLY{tail}", mailed),
    ):
        assert log_in(functions, login).json["user"]["id"] == member.id


def test_a_username_is_preferred_to_an_e_mail(functions: Functions, members: Members) -> None:
    login = f"goat{secrets.token_hex(4)}@example.com"
    mailed = members.new(email=login, email_key=login, password=STORED)
    named = members.new(username=login, username_key=login, password=STORED)
    assert log_in(functions, login).json["user"]["id"] == named.id
    assert log_in(functions, mailed.username).json["user"]["id"] == mailed.id


@pytest.mark.parametrize("around", [" {} ", "{}\t", "\u00a0{}\n", "\u2003{}"])
def test_white_space_around_a_login_is_ignored_if_nothing_else_matches(
    functions: Functions, members: Members, around: str
) -> None:
    member = members.new(password=STORED)
    for login in (member.username, member.email.upper()):
        answer = log_in(functions, around.format(login))
        assert (answer.status, answer.json["user"]["id"]) == (201, member.id)
    padded = members.new(username=around.format(member.username), username_key=None, password=STORED)
    assert log_in(functions, padded.username).json["user"]["id"] == padded.id, "its exact spelling comes first"


def test_guesses_with_white_space_around_the_login_count_together(functions: Functions, members: Members) -> None:
    for login in (members.new(password=STORED).username, secrets.token_hex(8)):
        at = address()
        for count in range(10):
            assert log_in(functions, f"{login}{' ' * count}", "wrong", at).status == 401
        assert log_in(functions, f" {login}", "wrong", at).status == 429


def test_an_internationalised_address_logs_in_as_it_registered(functions: Functions, members: Members) -> None:
    domain = f"bücher-{secrets.token_hex(6)}.example"
    email, unicode_email = f"billy@{domain.encode('idna').decode()}", f" billy@{domain.upper()}"
    member = members.new(email=email, email_key=email, password=STORED)
    assert log_in(functions, unicode_email).json["user"]["id"] == member.id


def test_an_adopted_address_with_another_domain_logs_in_as_it_is_stored(functions: Functions, members: Members) -> None:
    email = f"billy@bücher-{secrets.token_hex(6)}.example"
    member = members.new(email=email, email_key=email, password=STORED)
    for login in (email, f" {email.upper()} "):
        assert log_in(functions, login).json["user"]["id"] == member.id


def test_a_login_of_white_space_only_names_nobody(functions: Functions) -> None:
    assert log_in(functions, "  ").status == 401


def test_no_fast_hash_of_a_login_is_stored(functions: Functions, database: sa.Engine) -> None:
    """An unkeyed hash of an e-mail address can be reversed by trying addresses; it may be an erased member's."""
    at, login = address(), f"{secrets.token_hex(4)}@example.com"
    assert log_in(functions, login, "wrong", at).status == 401
    (attempt,) = read_attempts(database, at)
    digests = {hashlib.new(name, login.encode()).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    assert attempt.subject not in digests
    with database.connect() as connection:
        keyed = sa.func.encode(erased_identities.identity("login", sa.literal(login)), "hex")
        assert attempt.subject == connection.scalar(sa.select(keyed))


@pytest.mark.parametrize(("ahead", "status"), [(timedelta(hours=10), 401), (timedelta(seconds=30), 429)])
def test_attempts_of_a_clock_far_ahead_do_not_throttle(
    functions: Functions, database: sa.Engine, ahead: timedelta, status: int
) -> None:
    at = address()
    with database.connect() as connection:
        early = {"kind": "log_in", "subject": "x", "address": at, "attempted_at": NOON + ahead}
        connection.execute(sa.insert(attempts), [early] * 50)
    assert log_in(functions, "nobody", "wrong", at).status == status


def test_a_scrypt_hash_is_replaced_at_log_in(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=BY_NODE, email_verified=None)
    answer = log_in(functions, member.username)
    assert answer.status == 201
    assert answer.json["user"]["email_verified"] is False
    replaced = the_password(database, member)
    assert replaced.startswith("$argon2id$")
    assert log_in(functions, member.username).status == 201
    assert the_password(database, member) == replaced


def test_during_the_cut_over_passwords_are_written_in_the_legacy_format(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("log_in")
    monkeypatch.setattr(module, "settings", replace(module.settings, legacy_app=True))
    adopted, ours = members.new(password=BY_NODE), members.new(password=STORED)
    for member in (adopted, ours):
        assert log_in(functions, member.username).status == 201
    assert the_password(database, adopted) == BY_NODE
    assert not the_password(database, ours).startswith("$")
    assert log_in(functions, ours.username).status == 201


def test_a_wrong_password_and_an_unknown_name_are_answered_alike_and_stay_counted(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    adopted = members.new(password=BY_NODE)
    unusable = members.new(password="not a hash")
    suspended = members.new(password=STORED, suspended_at=NOON)
    for login in (member.username, adopted.username, unusable.username, suspended.username, "nobody", "a' OR 1=1 --"):
        at = address()
        refused = log_in(functions, login, "a wrong password", at)
        body = refused.json
        del body["request_id"]
        assert body == {
            "type": "/problems/invalid_credentials",
            "title": "The login or the password is wrong",
            "status": 401,
            "detail": "The login or the password is wrong",
            "code": "invalid_credentials",
        }
        (attempt,) = read_attempts(database, at)
        assert (attempt.kind, attempt.attempted_at) == ("log_in", NOON)
        assert login not in attempt.subject


def test_only_the_right_password_reveals_a_suspension(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=BY_NODE, suspended_at=NOON)
    at = address()
    refused = log_in(functions, member.username, at=at)
    assert (refused.status, refused.json["code"]) == (403, "account_suspended")
    assert read_attempts(database, at) == [], "the password was right"
    assert the_password(database, member) == BY_NODE
    with database.connect() as connection:
        count = sa.select(sa.func.count()).where(sessions.c.user_id == member.id)
        assert connection.scalar(count) == 1, "the one that the test gave them"


def test_the_eleventh_guess_within_15_minutes_waits_even_when_right(functions: Functions, members: Members) -> None:
    member, other = members.new(password=STORED), members.new(password=STORED)
    at = address()
    for count in range(10):
        login = (member.username, member.email, member.username.upper())[count % 3]
        assert log_in(functions, login, "wrong", at, NOON + timedelta(minutes=count)).status == 401
    last = NOON + timedelta(minutes=14, seconds=59, microseconds=999_999)
    refused = log_in(functions, member.username, at=at, now=last)
    assert (refused.status, refused.json["code"]) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == "1"
    later = log_in(functions, member.username, at=at, now=NOON + timedelta(minutes=10, microseconds=1))
    assert later.headers["Retry-After"] == "300"
    assert log_in(functions, member.username, now=last).status == 201, "from elsewhere"
    assert log_in(functions, other.username, at=at, now=last).status == 201, "another account"
    assert log_in(functions, member.username, at=at, now=NOON + timedelta(minutes=15)).status == 201


def test_right_passwords_do_not_count(functions: Functions, members: Members) -> None:
    member = members.new(password=STORED)
    at = address()
    for _ in range(12):
        assert log_in(functions, member.username, at=at).status == 201


def test_an_unknown_login_is_throttled_like_a_known_one(functions: Functions) -> None:
    at, nobody = address(), secrets.token_hex(8)
    statuses = [log_in(functions, (nobody, nobody.upper())[count % 2], "wrong", at).status for count in range(11)]
    assert statuses == [401] * 10 + [429]


def test_fifty_guesses_from_one_network_at_all_accounts_are_throttled(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    at = address()
    with database.connect() as connection:
        connection.execute(
            sa.insert(attempts),
            [
                {
                    "kind": "log_in",
                    "subject": f"x{count}",
                    "address": at,
                    "attempted_at": NOON - timedelta(minutes=count / 4),
                }
                for count in range(49)
            ],
        )
    assert log_in(functions, member.username, "wrong", at).status == 401
    refused = log_in(functions, member.username, at=at)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "180")
    assert log_in(functions, member.username, at=at, now=NOON + timedelta(minutes=3)).status == 201


def test_retry_after_is_the_longer_of_two_waits(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    at = address()
    with database.connect() as connection:
        connection.execute(
            sa.insert(attempts),
            [
                {"kind": "log_in", "subject": subject, "address": at, "attempted_at": NOON - age}
                for subject, age, count in (
                    (str(member.id), timedelta(minutes=1), 10),
                    ("x", timedelta(minutes=14), 40),
                )
                for _ in range(count)
            ],
        )
    assert log_in(functions, member.username, at=at).headers["Retry-After"] == "840"


def test_a_password_changed_while_it_was_compared_opens_nothing(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new(password=STORED)
    changed = passwords.hash_password("another long password", legacy=False)
    real, at = passwords.verify_and_upgrade, address()

    def verify_and_upgrade(stored: str | None, password: str, *, legacy: bool) -> str:
        result = real(stored, password, legacy=legacy)
        members.change(member, password=changed)
        return result

    monkeypatch.setattr(passwords, "verify_and_upgrade", verify_and_upgrade)
    refused = log_in(functions, member.username, at=at)
    assert (refused.status, refused.json["code"]) == (401, "invalid_credentials")
    assert the_password(database, member) == changed
    assert len(read_attempts(database, at)) == 1


def test_the_same_password_stored_anew_while_it_was_compared_is_right(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two log-ins of an adopted member at once: the other one was first."""
    member = members.new(password=BY_NODE)
    real, at = passwords.verify_and_upgrade, address()

    def verify_and_upgrade(stored: str | None, password: str, *, legacy: bool) -> str:
        result = real(stored, password, legacy=legacy)
        members.change(member, password=STORED)
        return result

    monkeypatch.setattr(passwords, "verify_and_upgrade", verify_and_upgrade)
    assert log_in(functions, member.username, at=at).status == 201
    assert the_password(database, member) == STORED
    assert read_attempts(database, at) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"login": "goat"}, "/password"),
        ({"password": PASSWORD}, "/login"),
        ({"login": "", "password": PASSWORD}, "/login"),
        ({"login": "goat", "password": ""}, "/password"),
        ({"login": "goat\x00", "password": PASSWORD}, "/login"),
        ({"login": "goat", "password": "a\ud800"}, "/password"),
        ({"login": "g" * 1001, "password": PASSWORD}, "/login"),
        ({"login": ["goat"], "password": PASSWORD}, "/login"),
        ({"login": "goat", "password": 123456789012}, "/password"),
        ({"login": "goat", "password": PASSWORD, "remember": True}, "/remember"),
    ],
)
def test_an_invalid_body_is_refused_and_not_counted(
    functions: Functions, database: sa.Engine, body: dict[str, Any], pointer: str
) -> None:
    at = address()
    refused = functions.call("log_in", body=body, address=at)
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert read_attempts(database, at) == []


def test_an_idempotency_key_is_ignored(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    body = {"login": member.username, "password": PASSWORD}
    tokens = {
        functions.call("log_in", body=body, address=address(), headers={"idempotency-key": "k"}).json["token"]
        for _ in range(2)
    }
    assert len(tokens) == 2


@pytest.mark.parametrize("stored", [STORED, BY_NODE], ids=["argon2", "scrypt"])
def test_processor_time_does_not_reveal_whether_an_account_exists(members: Members, stored: str) -> None:
    """As `benchmarks.timing`, by the processor's time, which the machine's other work does not disturb."""
    question = log_in_question("account or none", [members.new(password=stored).username])
    existing, unknown = measure_pairs(question, 30, time.process_time)
    right = best_threshold(existing, unknown)
    assert right < 0.85, "of equal distributions it is more in less than one of 100,000 runs"


def test_the_best_threshold_is_found_in_either_direction() -> None:
    assert best_threshold([1, 2, 3, 4], [1, 2, 3, 4]) == 0.5
    assert best_threshold([1, 2, 3, 4], [5, 6, 7, 8]) == best_threshold([5, 6, 7, 8], [1, 2, 3, 4]) == 1
    assert best_threshold([1, 2, 3, 9], [4, 5, 6, 7]) == 0.875


@pytest.mark.parametrize("exists", [True, False], ids=["existing", "unknown"])
def test_a_login_is_throttled_in_every_case_that_postgresql_folds(
    functions: Functions, members: Members, exists: bool
) -> None:
    """Python and PostgreSQL do not agree on the lower case of every letter, and must not tell an account by that."""
    name = f"iris-{secrets.token_hex(6)}"
    if exists:
        members.new(username=name, username_key=name)
    at = address()
    for _ in range(10):
        assert functions.call("log_in", body={"login": name, "password": "wrong"}, address=at).status == 401
    spelled = name.replace("i", "\u0130", 1)
    assert functions.call("log_in", body={"login": spelled, "password": "wrong"}, address=at).status == 429
