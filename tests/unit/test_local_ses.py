"""The local stand-in for SES takes what SES takes, and shows a message as it was sent."""

import base64
import json
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from flask import Flask

from local.stand_ins.mail import Mailbox, serve
from local.stand_ins.ses import RefusalError, accept

UTF8 = {"Charset": "UTF-8"}


def simple(to: object = "ann@example.com", **changes: Any) -> dict[str, Any]:
    headers = {"Headers": changes.pop("headers")} if "headers" in changes else {}
    content = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "text"}}} | headers | changes.pop("content", {})
    given = {"FromEmailAddress": "GoatedVIPs <hi@example.com>", "Destination": {"ToAddresses": [to]}}
    return given | {"Content": {"Simple": content}} | changes


def raw(message: bytes, **changes: Any) -> dict[str, Any]:
    return {"Content": {"Raw": {"Data": base64.b64encode(message).decode()}}} | changes


def test_a_simple_message_has_its_headers_as_they_were_sent() -> None:
    url = "https://vip.example/unsubscribe?token=" + "x" * 200
    request = simple(
        headers=[{"Name": "List-Unsubscribe", "Value": f"<{url}>"}],
        ReplyToAddresses=["ann@example.com"],
        content={"Subject": {"Data": "Ä"} | UTF8, "Body": {"Html": {"Data": "ß"} | UTF8}},
    )
    (mail,) = accept(request)
    assert (mail.to, mail.subject, mail.text, mail.html, mail.raw) == ("ann@example.com", "Ä", "", "ß", None)
    assert mail.headers == [
        {"name": "From", "value": "GoatedVIPs <hi@example.com>"},
        {"name": "Reply-To", "value": "ann@example.com"},
        {"name": "List-Unsubscribe", "value": f"<{url}>"},
    ]


@pytest.mark.parametrize(
    "to",
    [
        "ann@example.com",
        "Ann <ann@example.com>",
        "a.n+n'@xn--bcher-kva.example",
        "a@XN--BCHER-KVA.example",
        "a@sub-domain.ab--c.example",
        "x" * 64 + "@example.com",
    ],
)
def test_it_takes_addresses_that_ses_takes(to: str) -> None:
    assert accept(simple(to))


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@localhost",
        "änn@example.com",
        "ann@bücher.example",
        "Änn <ann@example.com>",
        "ann@xn--.example",
        "ann@xn--a-0000000.example",
        "ann@-a.example",
        "ann@a-.example",
        "ann@a..example",
        "ann@example.com.",
        "ann@under_score.example",
        "ann@127.0.0.1",
        "ann@[127.0.0.1]",
        "ann@@example.com",
        "a nn@example.com",
        "ann@exa mple.com",
        ".ann@example.com",
        "a..n@example.com",
        "ann@example.com, bob@example.com",
        "ann@example.com\r\nBcc: bob@example.com",
        "x" * 65 + "@example.com",
        "ann@" + "a" * 64 + ".example",
        None,
    ],
)
def test_it_refuses_addresses_that_ses_refuses(to: str | None) -> None:
    for request in (
        simple(to),
        simple(ReplyToAddresses=[to]),
        simple(FromEmailAddress=to),
        simple(Destination={"ToAddresses": ["ann@example.com"], "BccAddresses": [to]}),
    ):
        with pytest.raises(RefusalError):
            accept(request)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"Content": {}},
        simple(Destination={}),
        simple(Destination={"ToAddresses": ["ann@example.com"] * 51}),
        simple(content={"Body": {}}),
        simple(content={"Subject": {}}),
        simple(content={"Subject": {"Data": "Ä"}}),
        simple(content={"Subject": {"Data": "Hi\r\nBcc: bob@example.com"}}),
        simple(content={"Body": {"Text": {"Data": "ß"}}}),
        simple(content={"Body": {"Text": {"Data": "€", "Charset": "ISO-8859-1"}}}),
        simple(content={"Body": {"Text": {"Data": "x", "Charset": "no-such"}}}),
        simple(headers=[{"Name": "X", "Value": "1"}] * 16),
        simple(headers=[{"Name": "X", "Value": "ä"}]),
        simple(headers=[{"Name": "X", "Value": "1\r\nBcc: bob@example.com"}]),
        simple(headers=[{"Name": "X Y", "Value": "1"}]),
        simple(headers=[{"Name": "X", "Value": "1" * 995}]),
        raw(b"To: ann@example.com\r\n\r\nHi"),
        raw(b"From: hi@example.com\r\n\r\nHi"),
        raw("From: hi@example.com\r\nTo: ann@example.com\r\nSubject: Ä\r\n\r\nHi".encode()),
        raw(b"From: hi@example.com\r\nTo: ann@example.com\r\n\r\n" + b"x" * 999),
        raw(b"From: hi@example.com\r\nTo: ann@example.com\r\n\r\n\xff"),
        {"Content": {"Raw": {"Data": "not base64!"}}},
    ],
    ids=lambda request: json.dumps(request)[:80],
)
def test_it_refuses_requests_that_ses_refuses(request_: dict[str, Any]) -> None:
    with pytest.raises(RefusalError):
        accept(request_)


def test_a_raw_message_is_shown_as_it_was_sent() -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "hi@example.com", "Ann <ann@example.com>", "Grüße"
    message.set_content("plain ä\n")
    message.add_alternative("<p>ä</p>\n", subtype="html")
    message.add_attachment("attached", filename="a.txt")
    octets = message.as_bytes()
    (mail,) = accept(raw(octets))
    assert (mail.to, mail.subject) == ("ann@example.com", "Grüße")
    assert (mail.text.strip(), mail.html.strip()) == ("plain ä", "<p>ä</p>")
    assert mail.raw is not None
    assert mail.raw.encode("utf-8", "surrogateescape") == octets
    assert [header["name"] for header in mail.headers[:3]] == ["From", "To", "Subject"]


def test_a_header_that_mail_programs_cannot_read_is_not_mended() -> None:
    """Python writes a long URL as encoded words, which only `policy.default` decodes."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "hi@example.com", "ann@example.com"
    message["List-Unsubscribe"] = "<https://vip.example/unsubscribe?token=" + "x" * 200 + ">"
    message.set_content("Hi")
    (mail,) = accept(raw(message.as_bytes()))
    (value,) = (header["value"] for header in mail.headers if header["name"] == "List-Unsubscribe")
    assert value.startswith("=?"), "as it was sent"


def test_the_destination_comes_before_the_headers_of_a_raw_message() -> None:
    octets = b"From: hi@example.com\r\nTo: ann@example.com, bob@example.com\r\n\r\nHi"
    assert [mail.to for mail in accept(raw(octets))] == ["ann@example.com", "bob@example.com"]
    other = raw(octets, Destination={"BccAddresses": ["eve@example.com"]})
    assert [mail.to for mail in accept(other)] == ["eve@example.com"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ConfigurationSetName": "no set"},
        {"EmailTags": [{"Name": "kind", "Value": "a b"}]},
        {"EmailTags": [{"Name": "", "Value": "a"}]},
        {"EmailTags": [{"Name": f"n{number}", "Value": "a"} for number in range(51)]},
    ],
)
def test_it_refuses_sets_and_tags_that_ses_refuses(changes: dict[str, Any]) -> None:
    assert accept(simple(ConfigurationSetName="Bulk-1", EmailTags=[{"Name": "outbox_id", "Value": "1"}]))
    with pytest.raises(RefusalError):
        accept(simple(**changes))


def test_the_catcher_shows_the_octets_of_a_message() -> None:
    app, url = Flask(__name__), "https://vip.example/unsubscribe?token=" + "x" * 200
    serve(app, Mailbox())
    client = app.test_client()
    header = [{"Name": "List-Unsubscribe", "Value": f"<{url}>"}]
    given = simple(headers=header, content={"Subject": {"Data": "Ä"} | UTF8, "Body": {"Text": {"Data": "ß"} | UTF8}})

    def message_id(request: dict[str, Any]) -> str:
        return str(client.post("/v2/email/outbound-emails", json=request).get_json()["MessageId"])

    shown = client.get(f"/mail/{message_id(given)}.eml")
    assert shown.mimetype == "message/rfc822"
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in shown.data
    assert b"Subject: =?utf-8?b?w4Q=?=\r\n" in shown.data
    assert f"List-Unsubscribe: &lt;{url}&gt;" in client.get("/mail").text
    assert client.get("/mail.json").get_json()["items"][0].keys() == {"to", "subject", "text", "html", "headers", "raw"}
    assert client.get("/mail/unknown.eml").status_code == 404
    whole = b"From: a@example.com\r\nTo: b@example.com\r\nContent-Type: text/plain; charset=latin1\r\n\r\n\xff\r\n"
    assert client.get(f"/mail/{message_id(raw(whole))}.eml").data == whole
