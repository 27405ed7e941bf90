"""Markdown to mail: the body of a campaign as HTML that mail programs show, and as plain text.

Only CommonMark is read, without HTML in it. `ALLOWED` is the list of all that can be in the result, whatever the
Markdown or its parser do. It has no images: who serves one learns who opens the mail, and when.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.tree import SyntaxTreeNode

ALLOWED: Final[dict[str, set[str]]] = {
    "a": {"href", "title"},
    "blockquote": set(),
    "br": set(),
    "code": set(),
    "em": set(),
    **{f"h{level}": set() for level in range(1, 7)},
    "hr": set(),
    "li": set(),
    "ol": {"start"},
    "p": set(),
    "pre": set(),
    "strong": set(),
    "ul": set(),
}
"""The elements of a mail's body, each with its attributes."""
LINKS: Final = ("https://", "mailto:")
"""What links may begin with. Other links stay the text that they were written as."""
_STYLES = {
    "blockquote": "margin:1em 0;padding-left:1em;border-left:3px solid #c9ccd3",
    "code": "font-family:ui-monospace,monospace",
    "pre": "padding:12px;background:#f3f4f6;white-space:pre-wrap",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of a mail."""

    html: str
    """A fragment of HTML, to be put into a page."""
    text: str
    """The same as plain text; each link is followed by its URL."""


def render(body: str) -> Rendered:
    """Render Markdown for mail. The result is safe to send, whatever the body has; its text may be empty.

    Parameters
    ----------
    body: CommonMark. HTML in it is shown as it was written.
    """
    tokens = _markdown.parse(body)
    html = nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags=set(ALLOWED),
        attributes={tag: names for tag, names in ALLOWED.items() if names},
        url_schemes={link.partition(":")[0] for link in LINKS},
        link_rel=None,
        set_tag_attribute_values={tag: {"style": style} for tag, style in _STYLES.items()},
    )
    blocks = (_block(node) for node in SyntaxTreeNode(tokens).children)
    return Rendered(html, "\n\n".join(block for block in blocks if block).rstrip())


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    parser.validateLink = lambda url: url.lower().startswith(LINKS)  # type: ignore[method-assign]  # as markdown-it's documentation has it
    parser.add_render_rule("image", lambda _, tokens, index, *__: escapeHtml(tokens[index].content))
    return parser


_markdown = _make_parser()


def _block(node: SyntaxTreeNode) -> str:
    """Return a block as plain text, without an empty line at its end. The parser limits how deep blocks nest."""
    match node.type:
        case "paragraph" | "heading":
            return "".join(_inline(node.children[0].children)) if node.children else ""
        case "bullet_list":
            return "\n".join(_indented(_blocks(item), "- ") for item in node.children)
        case "ordered_list":
            first = int(node.attrs.get("start", 1))
            items = enumerate(node.children, first)
            return "\n".join(_indented(_blocks(item), f"{number}. ") for number, item in items)
        case "blockquote":
            return "\n".join(f"> {line}".rstrip() for line in _blocks(node).splitlines())
        case "code_block" | "fence":
            return "\n".join(f"    {line}".rstrip() for line in node.content.splitlines())
        case "hr":
            return "---"
    raise LookupError(f"no text for {node.type}")


def _blocks(node: SyntaxTreeNode) -> str:
    return "\n\n".join(filter(None, map(_block, node.children)))


def _indented(text: str, mark: str) -> str:
    return mark + textwrap.indent(text, " " * len(mark)).lstrip(" ")


def _inline(nodes: list[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "text" | "code_inline" | "image":
                yield node.content
            case "softbreak" | "hardbreak":
                yield "\n"
            case "link":
                text, url = "".join(_inline(node.children)), str(node.attrs["href"])
                yield text if text in {url, url.removeprefix("mailto:")} else f"{text} ({url})"
            case "em" | "strong":
                yield from _inline(node.children)
            case _:
                raise LookupError(f"no text for {node.type}")
