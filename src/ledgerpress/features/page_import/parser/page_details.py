"""The dates and authors of a page's article, from the lines above and below its headline and at its end."""

from collections.abc import Sequence
from itertools import islice, takewhile
from typing import Final

from ledgerpress.features.page_import.parser.dates import Retrieval
from ledgerpress.features.page_import.parser.details_line import Details, ScannedLine, scan
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import is_short_title

_LINES_BELOW: Final = 8
_LINES_AT_END: Final = 2
_OTHERS_BETWEEN: Final = 2
"""How many other lines, such as a standfirst or a caption, may precede the last line with details."""


def take_details(
    above: Sequence[str], below: Sequence[str], retrieval: Retrieval
) -> tuple[Details, Sequence[str], Sequence[str]]:
    """Return the details of the article, and the lines above and below the headline without them.

    Below the headline, the lines with details come first, or after a standfirst. A line after other text counts only if
    it contains a date or an author that is missing so far, since it could belong to the text.
    """
    details = Details()
    others_above = _take_run(list(scan(above, retrieval)), details)
    top = list(scan(below[:_LINES_BELOW], retrieval))
    remaining, examined = _take_top(top, details)
    rest = [*remaining, *below[examined:]]
    return details, others_above, _take_end(rest, details, retrieval)


def without_details_above(lines: Sequence[str], retrieval: Retrieval) -> Sequence[str] | None:
    """Return the lines from the headline on if lines with details are above it, otherwise `None`.

    One of them must contain a date that is not an age, since "Yesterday" can be a headline. So can "By Popular Demand": a
    byline comes first, or last, only above a line with the form of a headline.
    """
    above = list(takewhile(lambda item: item.details is not None, scan(lines[:_LINES_BELOW], retrieval)))
    dates = [item.details.date for item in above if item.details]
    if not any(date and date.is_calendar_date for date in dates):
        return None
    rest = lines[sum(len(item.lines) for item in above) :]
    if (dates[0] is None or dates[-1] is None) and not (rest and is_short_title(rest[0])):
        return lines[len(above[0].lines) :] if dates[0] else None
    return rest


def _take_run(scanned: Sequence[ScannedLine], details: Details) -> list[str]:
    others: list[str] = []
    for item in scanned:
        if item.details is not None and not item.details.is_empty:
            details.add(item.details)
        else:
            others += item.lines
    return others


def _take_top(scanned: Sequence[ScannedLine], details: Details) -> tuple[list[str], int]:
    """Return the lines that remain, and how many lines were examined."""
    remaining: list[str] = []
    examined = other_items = 0
    follows_details = True
    for item in scanned:
        if item.details is not None and (follows_details or item.details.adds_to(details)):
            details.add(item.details)
            follows_details = True
        else:
            other_items += 1
            if other_items > _OTHERS_BETWEEN:
                break
            remaining += item.lines
            follows_details = False
        examined += len(item.lines)
    return remaining, examined


def _take_end(lines: Sequence[str], details: Details, retrieval: Retrieval) -> Sequence[str]:
    """Remove "Published on December 5, 2024 by Ada Example" from the end."""
    end = list(scan(lines[-_LINES_AT_END:], retrieval))
    for item in islice(reversed(end), _LINES_AT_END):
        added = item.details
        if added is None or not (added.is_labelled or added.updated or added.authors):
            break
        if not added.adds_to(details):
            break
        details.add(added)
        lines = lines[: len(lines) - len(item.lines)]
    return lines
