"""The body of a campaign: Markdown becomes harmless HTML for mail, and readable plain text."""

import re
from html.parser import HTMLParser
from time import process_time
from typing import override

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goatedvips.domain.newsletter.markdown import render

# Written out here, so that a change of the module's own list is noticed.
ELEMENTS = {"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"}
ELEMENTS |= {"h1", "h2", "h3", "h4", "h5", "h6"}
ATTRIBUTES = {
    ("a", "href"),
    ("a", "title"),
    ("ol", "start"),
    ("blockquote", "style"),
    ("code", "style"),
    ("pre", "style"),
}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<style>body{display:none}</style>",
    "<a href='https://example.com' onclick='x()'>x</a>",
    "<!-- --><iframe src=//example.com></iframe>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "<javascript:alert(1)>",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](http://example.com)",
    "[x](//example.com)",
    "[x](/path)",
    "[x](cid:1)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    '[x](https://example.com "\\" onmouseover=\\"x")',
    '[x](https://example.com/"onmouseover=x)',
    "[x](https://[)",
    "![x](https://example.com/pixel.png)",
    "![x](cid:1)",
    "![x](data:image/png;base64,AAAA)",
    "[![x](https://example.com/pixel.png)](https://example.com)",
    "```<script>\nx\n```",
    '~~~ x" onload="y\nx\n~~~',
    "    <b>code</b>",
    "`<b>`",
    "\u202e[x](https://example.com)\u0000\ufffd",
)


class Reader(HTMLParser):
    """Collects what is in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.others: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update((tag, name) for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]

    @override
    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    @override
    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    @override
    def handle_pi(self, data: str) -> None:
        self.others.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def assert_harmless(html: str) -> None:
    found = read(html)
    assert found.elements <= ELEMENTS
    assert found.attributes <= ATTRIBUTES
    assert not found.others
    assert all(re.match("https:|mailto:", link) for link in found.links)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_markdown_becomes_harmless_html(body: str) -> None:
    assert_harmless(render(body).html)


def test_what_is_not_allowed_is_shown_as_it_is_written() -> None:
    assert render("<b>x</b> [y](javascript:z)").html == "<p>&lt;b&gt;x&lt;/b&gt; [y](javascript:z)</p>\n"
    assert render("see goatedvips.gg").html == "<p>see goatedvips.gg</p>\n"  # and no http: link
    assert render("![a *goat*](https://example.com/goat.png)").html == "<p>a *goat*</p>\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, *"<>[]()!*_`~#&\"'\\\n\t -+1.:/", "https://a.b", "x", "\n\n"]), max_size=30))
def test_no_mixture_of_markdown_becomes_anything_else(parts: list[str]) -> None:
    rendered = render("".join(parts))
    assert_harmless(rendered.html)


@pytest.mark.parametrize(
    "part",
    [
        ">",
        "*",
        "[",
        "![",
        "- ",
        "* a ",
        "**a_",
        "`",
        "<",
        "[a](",
        "&",
        "#\n",
        "- a\n",
        "[a]: https://x\n",
        "_a_ ",
        "1. ",
        "\\\n",
    ],
)
def test_a_long_body_takes_no_long_time(part: str) -> None:
    body = (part * 10_000)[:10_000]
    started = process_time()
    rendered = render(body)
    assert process_time() - started < 2
    assert len(rendered.html) < 200_000
    assert_harmless(rendered.html)


EXAMPLES: dict[str, tuple[str, str, str]] = {
    "paragraphs": ("One\ntwo\n\nthree", "<p>One\ntwo</p>\n<p>three</p>\n", "One\ntwo\n\nthree"),
    "emphasis": ("*a* **b** `c`", "<p><em>a</em> <strong>b</strong> ", "a b c"),
    "heading": ("## Goats", "<h2>Goats</h2>\n", "Goats"),
    "link": (
        '[races](https://goatedvips.gg/?a=1&b=2 "all")',
        '<p><a href="https://goatedvips.gg/?a=1&amp;b=2" title="all">races</a></p>\n',
        "races (https://goatedvips.gg/?a=1&b=2)",
    ),
    "bare link": ("<https://a.b>", '<p><a href="https://a.b">https://a.b</a></p>\n', "https://a.b"),
    "address": ("<a@b.co>", '<p><a href="mailto:a@b.co">a@b.co</a></p>\n', "a@b.co"),
    "list": ("- a\n- b\n\n  c", "<ul>\n<li>\n<p>a</p>", "- a\n- b\n\n  c"),
    "numbers": ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n', "3. a\n4. b"),
    "nested": ("- a\n  1. b\n     > c", "<ul>\n<li>a\n<ol>\n", "- a\n\n  1. b\n\n     > c"),
    "quote": ("> a\n>\n> b", "<blockquote style=", "> a\n>\n> b"),
    "code": ("    a\n\n      b", "<pre style=", "    a\n\n      b"),
    "rule": ("a\n\n---\n\nb", "<p>a</p>\n<hr>\n<p>b</p>\n", "a\n\n---\n\nb"),
    "break": ("a  \nb", "<p>a<br>\nb</p>\n", "a\nb"),
    "image": (
        "[![goat](https://a.b/c.png)](https://a.b)",
        '<p><a href="https://a.b">goat</a></p>\n',
        "goat (https://a.b)",
    ),
}


@pytest.mark.parametrize("case", EXAMPLES.values(), ids=EXAMPLES)
def test_markdown_becomes_html_and_text(case: tuple[str, str, str]) -> None:
    body, html, text = case
    rendered = render(body)
    assert rendered.html.startswith(html)
    assert rendered.text == text


@pytest.mark.parametrize("body", ["", " \n", "[x]: https://a.b", "#", ">", "![](https://a.b)"])
def test_a_body_that_shows_nothing_has_no_text(body: str) -> None:
    assert render(body).text == ""
