"""Turns URLs and email addresses in text into links, as GitHub does for most of them.

A URL begins with http://, https:// or www. It ends before a space, "<", or punctuation, a symbol or a control character
outside ASCII: Chinese and Japanese sentences continue without a space. The work is linear: each character is read as a
part of at most one URL, and of addresses of at most 64 characters.
"""

import re
import unicodedata
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType

from ledgerpress.features.posts.body.cjk_emphasis import EmphasisState

_EMAIL: Final = r"[A-Za-z0-9](?:\\?[A-Za-z0-9.+_-]){0,63}@"
_START: Final = rf"(?<![A-Za-z0-9])(?:(?=(?i:https?://|www\.)\w)|(?<![.+@-])(?={_EMAIL}\w))"
_URL: Final = re.compile(r"((?i:https?://))?(\w[\w.-]{0,252})")
_ADDRESS: Final = re.compile(_EMAIL + r"(?:[A-Za-z0-9_-]{1,63}+\.)+[A-Za-z0-9_-]{1,63}+(?!@)")
_LATIN: Final = re.compile(r"[!-;=-~]*")
_TRAILING: Final = "?!.,:*_~'\"[]\\"
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY: Final = re.compile(r"&[A-Za-z]{1,40};\Z")
_LONGEST_ENTITY: Final = 42


_BEGINS: Final = re.compile(_START)
_TERMINATORS: Final = r"[\n!&*<\[\\\]_`~]"
"""Characters at which a rule other than "text" may apply. markdown-it-py ends text at more, for rules not used here."""
_END_OF_TEXT: Final = re.compile(_TERMINATORS)
_END_OF_TEXT_OR_LINK: Final = re.compile(f"{_TERMINATORS}|{_START}")


class LineState(EmphasisState):
    """The state of parsing a line. If the line contains links, its text ends before each of them."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, outTokens: list[Token]) -> None:  # noqa: N803
        super().__init__(src, md, env, outTokens)
        self.may_have_links = "@" in src or "://" in src or "www." in src.lower()
        self.end_of_text = _END_OF_TEXT_OR_LINK if self.may_have_links else _END_OF_TEXT


def bare_links(md: MarkdownIt) -> None:
    """Add the rule to `md`, and let text end where a URL or an address may begin. `md` parses with `LineState`."""
    rules: Any = md.inline.ruler  # whose rules take any state
    rules.at("text", _text)
    rules.push("bare_link", _bare_link)
    md.inline.ruler.disable("linkify")


def _text(state: LineState, silent: bool) -> bool:
    end = state.end_of_text.search(state.src, state.pos)
    start, state.pos = state.pos, end.start() if end else state.posMax
    if not silent:
        state.append_pending(state.src[start : state.pos])
    return state.pos > start


def _bare_link(state: LineState, silent: bool) -> bool:
    # While the parser looks for the end of a link's text, a URL in it is text.
    if silent or not state.may_have_links or state.linkLevel > 0 or not _BEGINS.match(state.src, state.pos):
        return False
    end = _end_of_url(state.src, state.pos, state.posMax)
    source = state.src[state.pos : end]
    if not source and (address := _ADDRESS.match(state.src, state.pos, state.posMax)):
        source = address[0].rstrip("-_\\")
    # Programs that write Markdown escape "_" and "*" in URLs too. A backslash is never a part of a URL.
    text = _ESCAPE.sub(r"\1", source)
    is_address = end == state.pos
    scheme = "mailto:" if is_address else "" if text[:4].lower() == "http" else "http://"
    href = state.md.normalizeLink(f"{scheme}{text}")
    if not text or not state.md.validateLink(href):
        return False
    state.push("link_open", "a", 1).attrs = {"href": href}
    state.push("text", "", 0).content = text
    state.push("link_close", "a", -1)
    state.pos += len(source)
    return True


def _end_of_url(text: str, start: int, limit: int) -> int:
    """Return the end of the URL that begins at `start`; `start` if there is no URL with a valid host."""
    url = _URL.match(text, start, limit)
    if not url or not (url[1] or url[2][:4].lower() == "www."):
        return start
    labels = url[2].rstrip(".").split(".")
    if len(labels) == 1 or any("_" in label for label in labels[-2:]):
        return start
    end = url.end(1) if url[1] else start
    while True:
        match = _LATIN.match(text, end, limit)
        end = match.end() if match else end
        if end >= limit or text[end].isascii() or _ends_url(text[end]):
            return _without_trailing_punctuation(text, start, end)
        end += 1


def _ends_url(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "PSZC"


def _without_trailing_punctuation(text: str, start: int, end: int) -> int:
    unopened = text.count(")", start, end) - text.count("(", start, end)
    while end > start:
        last = text[end - 1]
        if last == ")" and unopened > 0:
            unopened -= 1
            end -= 1
        elif last == ";":
            entity = _ENTITY.search(text, max(start, end - _LONGEST_ENTITY), end)
            end = entity.start() if entity else end - 1
        elif last in _TRAILING:
            end -= 1
        else:
            break
    return end
