"""Decides which `*`, `_` and `~` open and close emphasis, also next to Chinese, Japanese and Korean characters.

CommonMark decides by spaces and punctuation around the marker. Chinese and Japanese have no spaces between words, and
Korean attaches particles, so that `**「重要」**です` is not emphasised. In this program, a Chinese, Japanese or Korean
character next to a marker counts as the edge of a word, as proposed for CommonMark
(https://github.com/commonmark/commonmark-spec/issues/650).

A single tilde has no effect within a word: in many languages it separates the numbers of a range, as in "10~20".
Before a slash it begins a path, as in "~/notes".
"""

import unicodedata
from typing import Final

from markdown_it.common.utils import isPunctChar, isWhiteSpace
from markdown_it.rules_inline.state_inline import Scanned, StateInline

_FIRST_WIDE: Final = 0x1100
_WIDE: Final = frozenset("WFH")
_EMOJI: Final = (range(0x2300, 0x2E80), range(0x1F000, 0x20000))
"""Blocks of symbols that are as wide as Chinese characters, but that appear in all languages."""


class EmphasisState(StateInline):
    """The state of parsing a line, with the rule of this module for markers."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803
        """Return the length of the run of markers at `start`, and whether it can open and close emphasis."""
        marker = self.src[start]
        end = start + 1
        while end < self.posMax and self.src[end] == marker:
            end += 1
        before = _visible_before(self.src, start)
        after = self.src[end] if end < self.posMax else " "
        opens = _is_edge(inner=after, outer=before)
        closes = _is_edge(inner=before, outer=after)
        if not canSplitWord or (marker == "~" and end - start == 1):
            opens, closes = (
                opens and (not closes or isPunctChar(before)),
                closes and (not opens or isPunctChar(after)),
            )
        if marker == "~" and end - start == 1 and after == "/":
            opens = False
        return Scanned(opens, closes, end - start)


def _is_edge(inner: str, outer: str) -> bool:
    """Return whether text can begin or end between `outer` and `inner`, its first or last character."""
    if isWhiteSpace(ord(inner)):
        return False
    if not isPunctChar(inner) or _is_cjk(inner):
        return True
    return isWhiteSpace(ord(outer)) or isPunctChar(outer) or _is_cjk(outer)


def _visible_before(text: str, position: int) -> str:
    """Return the character before `position`, without variation selectors; a space at the beginning."""
    while position > 0:
        position -= 1
        character = text[position]
        if not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"):
            return character
    return " "


def _is_cjk(character: str) -> bool:
    code = ord(character)
    return (
        code >= _FIRST_WIDE
        and unicodedata.east_asian_width(character) in _WIDE
        and not any(code in block for block in _EMOJI)
    )
