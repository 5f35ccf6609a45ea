"""Which published revisions contain the passage of a correction, and whether the correction still applies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PREVIOUS_AND_OWN: Final = 2


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a published revision: what readers read. `body` is Markdown."""

    title: str
    teaser: str | None
    body: str


def contains(text: Text, passage: str) -> bool:
    """Return whether the title, the teaser or the body has the passage, as it is written or as readers see it.

    White space counts as one space, because line ends in Markdown are spaces for readers.
    """
    from ledgerpress.features.posts.body.html_rendering_and_sections import render  # noqa: PLC0415 - slow to import

    words = _with_single_spaces(passage)
    written = (text.title, text.teaser or "", text.body)
    if any(words in _with_single_spaces(part) for part in written):
        return True
    return words in _with_single_spaces(render(text.body).text)


def quotable(published: Sequence[tuple[int, Text]], revision: int) -> list[Text]:
    """Return the texts that a correction of `revision` may quote: of this revision, and of the one published before.

    A correction quotes the corrected words, or the words that they replaced. `published` are the published revisions in
    the order of their numbers.
    """
    return [text for number, text in published if number <= revision][-PREVIOUS_AND_OWN:]


def applies(published: Sequence[tuple[int, Text]], live: int, revision: int, passage: str | None) -> bool:
    """Return whether a correction of `revision` applies to the revision `live`.

    With a passage, it does as long as the text has the passage, or lacks it, as the corrected revision does. Without
    one, it does unless the text is again that of a revision published before the corrected one.

    `published` are the published revisions in the order of their numbers. A revision that is not among them has no
    known text, so the correction applies.
    """
    texts = dict(published)
    own, current = texts.get(revision), texts.get(live)
    if live == revision or own is None or current is None or current == own:
        return True
    if passage is not None:
        return contains(current, passage) == contains(own, passage)
    return all(text != current for number, text in published if number < revision)


def _with_single_spaces(text: str) -> str:
    return " ".join(text.split())
