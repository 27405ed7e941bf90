"""What leaves as octets: standards, and two parsers that are not Python's, read it as it was meant."""

import base64
import html
import json
import re
import secrets
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from goatedvips.clients import ses
from goatedvips.config import settings
from goatedvips.domain.notifications import unsubscribe_links
from goatedvips.domain.notifications.kinds import KINDS, Switch
from goatedvips.models import every
from goatedvips.models.accounts import account_links
from local.stand_ins.octets import octets
from local.stand_ins.ses import accept
from tests.infrastructure.project import FUNCTIONS
from tests.integration.notifications.conftest import NOON, Send, put, ticket
from tests.support import node
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.races import Races
from tests.support.rows import insert_row
from tests.support.tickets import Tickets

PARSERS = Path(node.__file__).with_name("mail_parsers")
ENDPOINT = "https://api.goatedvips.example/v1/newsletter/unsubscribe?token="
CRITICAL = {"verification", "password_reset", "email_change", "email_changed"}
# By kind: the list that its mail can be unsubscribed from.
LISTS = {
    "link_decided": "email_notifications",
    "link_ended": "email_notifications",
    "ticket_reply": "email_notifications",
    "ticket_opened": "email_notifications",
    "race_result": "wager_race_updates",
    "newsletter_confirmation": "newsletter",
}
BROWSER = {"accept": "text/html"}
SUBJECT = "Ä goat's «prize» " + "x" * 120

type Sent = dict[str, dict[str, Any]]


def queue(database: sa.Engine, members: Members, races: Races, functions: Functions) -> None:
    """Queue one mail of each kind above."""
    member, fresh = members.new(seeds=False), members.new(seeds=False, email_verified=False)
    to: dict[str, Any] = {"user_id": member.id, "address": member.email}
    put(database, "verification", user_id=fresh.id, address=fresh.email)
    for kind in CRITICAL - {"verification"}:
        put(database, kind, **to)
    link = insert_row(
        database, account_links, user_id=member.id, uid="u1", requested_at=NOON, decision="approved", decided_at=NOON
    )
    put(database, "link_decided", payload={"link_id": link}, **to)
    put(database, "link_ended", payload={"uid": "u1", "reason": "mistake"}, **to)
    tickets = Tickets(database)
    answered = tickets.new(member.id, subject=SUBJECT)
    message = tickets.write(answered, message="Ünïcode\n<b>bold</b>", is_staff_reply=True)
    put(database, "ticket_reply", payload={"message_id": message}, **to)
    ticket(database, member, SUBJECT)
    race = races.new(title=SUBJECT[:100])
    races.enter(race, member.id, rank=1)
    put(database, "race_result", payload={"race_id": race}, **to)
    assert functions.call("subscribe", body={"email": f"{secrets.token_hex(8)}@example.com"}, now=NOON).status == 202


@pytest.fixture
def sent(
    database: sa.Engine,
    members: Members,
    races: Races,
    functions: Functions,
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
) -> Sent:
    """SES's requests by the kind of mail, with the octets that it would send."""
    requests: Sent = {}

    class Client:
        def send_email(self, **request: Any) -> dict[str, str]:
            tags = {tag["Name"]: tag["Value"] for tag in request["EmailTags"]}
            (mail,) = accept(request)
            requests[tags["kind"]] = request | {"mail": mail, "octets": octets(mail, f"message-{len(requests)}", NOON)}
            return {"MessageId": f"message-{len(requests)}"}

    monkeypatch.setattr(ses, "_client", Client)
    monkeypatch.setattr(settings, "api_url", "https://api.goatedvips.example")
    monkeypatch.setattr(settings, "critical_mail_set", "critical")
    monkeypatch.setattr(settings, "bulk_mail_set", "bulk")
    queue(database, members, races, functions)
    assert send()["sent"] == len(CRITICAL) + len(LISTS)
    assert requests.keys() == CRITICAL | LISTS.keys()
    return requests


def fields(message: bytes) -> dict[str, str]:
    """The header fields of a message, by RFC 5322: it must obey its syntax, without any decoding."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message), "section 2.3"
    assert max(map(len, message.split(b"\r\n"))) <= 998, "section 2.1.1"
    head = message.partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    found = [match for line in lines if (match := re.fullmatch(r"([!-9;-~]+):[ \t]*([ -~\t]*)", line))]
    assert len(found) == len(lines), "section 2.2"
    counts = Counter(match[1].lower() for match in found)
    assert (counts["date"], counts["from"], max(counts.values())) == (1, 1, 1), "section 3.6"
    return {match[1].lower(): match[2] for match in found}


def test_all_mail_but_critical_can_be_ended_by_one_click(sent: Sent) -> None:
    """RFC 8058, section 3.1, and RFC 2369."""
    for kind, request in sent.items():
        found = fields(request["octets"])
        if kind in CRITICAL:
            assert not {"list-unsubscribe", "list-unsubscribe-post"} & found.keys(), kind
            continue
        assert found["list-unsubscribe-post"] == "List-Unsubscribe=One-Click", kind
        uri = re.fullmatch(r"<(https://[!-;=?-~]+)>", found["list-unsubscribe"])
        assert uri is not None, kind
        assert uri[1].startswith(f"{ENDPOINT}{LISTS[kind]}."), kind
        has_link = kind not in {"ticket_opened", "newsletter_confirmation"}
        assert (f"Unsubscribe: {uri[1]}" in request["mail"].text) == has_link, kind
        assert (f'href="{uri[1]}"' in request["mail"].html) == has_link, kind


def test_the_link_of_each_mail_works(sent: Sent, functions: Functions) -> None:
    for kind in LISTS:
        token = fields(sent[kind]["octets"])["list-unsubscribe"].strip("<>").removeprefix(ENDPOINT)
        assert functions.call("unsubscribe", query={"token": token}, now=NOON).status == 200, kind


def fingerprint(database: sa.Engine) -> dict[str, str]:
    """How many rows each table has, and a sum of hashes over their columns."""
    counted = "SELECT count(*) || ':' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM {} t"
    with database.connect() as connection:
        return {
            table.name: str(connection.scalar(sa.text(counted.format(table.name))))
            for table in every.metadata.sorted_tables
        }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_scanner_that_opens_every_link_of_every_mail_changes_nothing(
    sent: Sent, functions: Functions, database: sa.Engine, method: str
) -> None:
    routes = [(route.partition(" ")[2], function.name) for function in FUNCTIONS for route in function.template_routes]
    before, opened = fingerprint(database), Counter[str]()
    for request in sent.values():
        mail = request["mail"]
        header = " ".join(header["value"] for header in mail.headers)
        for url in set(re.findall(r"https?://[^\s<>\"']+", f"{mail.text} {html.unescape(mail.html)} {header}")):
            address = urlsplit(url)
            name = next(name for path, name in routes if re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", path), address.path))
            answer = functions.call(
                name, method=method, path=address.path, query=dict(parse_qsl(address.query)), headers=BROWSER
            )
            assert answer.status in {200, 401}, url
            opened[name] += 1
    assert opened.keys() == {"show_page", "unsubscribe", "get_ticket"}
    assert opened["show_page"] == 4
    assert fingerprint(database) == before


def test_critical_mail_has_a_configuration_set_of_its_own(sent: Sent) -> None:
    sets = {kind: request["ConfigurationSetName"] for kind, request in sent.items()}
    assert sets == dict.fromkeys(CRITICAL, "critical") | dict.fromkeys(LISTS, "bulk")
    assert {name for request in sent.values() for name in request["Content"]} == {"Simple"}


@pytest.mark.xdist_group("node")
def test_two_other_parsers_read_it(sent: Sent, tmp_path: Path) -> None:
    folder = node.install(PARSERS, tmp_path, ["parse.mjs"])
    program = shutil.which("node")
    assert program is not None
    given = json.dumps([base64.b64encode(request["octets"]).decode() for request in sent.values()])
    run = subprocess.run(
        [program, "parse.mjs"], input=given, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    for (kind, request), found in zip(sent.items(), json.loads(run.stdout), strict=True):
        mail, headers = request["mail"], fields(request["octets"])
        url = headers.get("list-unsubscribe", "").strip("<>") or None
        post = headers.get("list-unsubscribe-post")
        first, second = found["mailparser"], found["postalMime"]
        assert (first["unsubscribe"], first["post"]) == (url, post), kind
        assert second["unsubscribe"] == ([f"<{url}>"] if url else []), kind
        assert second["post"] == ([post] if post else []), kind
        for parser in (first, second):
            assert (parser["subject"], parser["to"]) == (mail.subject, [mail.to]), kind
            assert parser["text"].strip() == mail.text.strip(), kind
            assert parser["html"].strip() == mail.html.strip(), kind
            assert parser["replyTo"] == request["ReplyToAddresses"], kind
    assert sent["ticket_opened"]["ReplyToAddresses"], "an answer to staff's mail reaches the member"


def test_every_switch_but_critical_has_a_list() -> None:
    assert set(unsubscribe_links._LISTS) == set(Switch) - {Switch.CRITICAL}
    assert {kind.name for kind in KINDS.values() if kind.is_critical} == CRITICAL
