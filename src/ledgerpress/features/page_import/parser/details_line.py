"""A line about an article: its dates, its authors, its reading time, and nothing else.

The parts of the line may be separated by bars or dots: "By Ada Example | Dec. 5, 2024 | 4 min read".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from ledgerpress.features.page_import.parser.ages import read_age
from ledgerpress.features.page_import.parser.author_names import author_names
from ledgerpress.features.page_import.parser.clock_times import is_time
from ledgerpress.features.page_import.parser.dates import DateSource, PageDate, Retrieval, read_date

_MAX_LINE: Final = 200
_MAX_OTHER: Final = 60
_MAX_WORDS: Final = 16
"""The maximum number of words of a date next to a byline, so that the time for a line is bounded."""

_BAR: Final = re.compile(r"\s*[|•●∙⋅·‧]\s*|\s+(?://?|—|–|-)\s+")
_OTHERS_BETWEEN_BARS: Final = re.compile(r"[|•●∙⋅·‧]|\s/\s")
_BEFORE_LABEL: Final = re.compile(
    r"[\s,;(]+(?=(?:last\s+)?(?:updated|modified|edited|revised|published|posted|received|accepted)\b"
    r"|(?:leave a|add a|no|\d+) comments?$)",
    re.IGNORECASE,
)
# Where scrapers lose a space: "By Ada ExampleDecember 5, 20249:00 AMUpdated a day ago".
_LOST_SPACE: Final = re.compile(
    r"(?<=, \d{4})(?=\d{1,2}:\d{2})|(?<=\w)(?=(?:Last updated|Updated|Published|Posted)\b)"
    r"|(?<=[a-z])(?=(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d)"
)
_LABEL: Final = re.compile(
    r"(?:(?P<updated>(?:last\s+)?(?:updated?|modified|edited|revised|corrected)(?:\s+date)?|date modified)"
    r"|(?:(?:first|originally|this (?:entry|post|article|story) was)\s+)?"
    r"(?:posted|published|released|issued|written|(?:publication|publish|published|post)\s+date|date(?:\s+published)?))"
    r"\b\s*(?:on\b|at\b)?\s*:?\s*|on\s+",
    re.IGNORECASE,
)
_OTHER_LABEL: Final = re.compile(
    r"(?:received|submitted|accepted|expires|archived|retrieved|accessed)\b\s*(?:on\b|at\b)?\s*:?\s*",
    re.IGNORECASE,
)
_BY: Final = re.compile(
    r"(?P<label>(?:(?:this (?:entry|post|article|story) was\s+)?"
    r"(?:written|posted|published|reported|submitted|story|words|text|article|report)\s+)?by\b\s*:?"
    r"|authors?\s*:|author\(s\)\s*:)\s*",
    re.IGNORECASE,
)
_BEFORE_BY: Final = re.compile(r"[\s,]+(?=(?:written\s+|posted\s+)?by\b)", re.IGNORECASE)
_IN_CATEGORY: Final = re.compile(r"(?P<rest>.*\S)\s+in\s+(?P<name>[^.:]{1,60})", re.IGNORECASE)
_AFTER_NAMES: Final = re.compile(
    r"\s*,\s*(?:on\s+)?|\s+(?:(?:on|at|posted|published|updated)\s+)?", re.IGNORECASE
)
_LABEL_ONLY: Final = re.compile(
    r"(?:(?:written |posted |published )?by|authors?|(?:first |originally )?(?:posted|published)(?: on)?|date"
    r"|(?:last )?(?:updated|modified)(?: on)?|on)\s*:?",
    re.IGNORECASE,
)
_AGE_AND_DATE: Final = re.compile(r"(?P<age>.*\bago)(?:,|\s+on)?\s+(?P<date>.*\d.*)", re.IGNORECASE)
_NOISE: Final = re.compile(
    r"(?:about\s+)?(?:\d+|less than (?:a|one)|one|a)[\s-]min(?:ute)?s?[\s-](?:read(?:ing)?(?:\s+time)?|to read)"
    r"|(?:(?:estimated\s+)?read(?:ing)?(?:\s+time)?)\s*:?\s*(?:about\s+)?\d+\s?min(?:ute)?s?"
    r"|(?:\d[\d,.]*[km]?|no|one)\s+(?:comments?|views?|shares?|likes?|words?|replies|reactions?)"
    r"|leave a comment|add a comment|[|•●∙⋅·‧/]|(?:read more|continue reading|keep reading)\s*[→»›>]*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Details:
    """What lines say about an article.

    `is_labelled` means that the date of publication has a label ("Posted on"), or that there is only the date of
    something else ("Accepted: 16 December 2022"). `date_text` is the text of the date, and `others` are texts next to a
    date that are neither dates nor authors, and the dates of something else.
    """

    published: PageDate | None = None
    is_labelled: bool = False
    updated: PageDate | None = None
    authors: tuple[str, ...] = ()
    others: list[str] = field(default_factory=list)
    date_text: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether there is neither a date nor an author, as in a line with the reading time."""
        return not (self.published or self.updated or self.authors)

    def add(self, other: "Details") -> None:
        """Add the details of another line: the first date of each kind counts, and a label counts more."""
        if other.published and (self.published is None or (other.is_labelled and not self.is_labelled)):
            self.published, self.is_labelled, self.date_text = (
                other.published,
                other.is_labelled,
                other.date_text,
            )
        if other.updated and self.updated is None:
            self.updated, self.date_text = other.updated, self.date_text or other.date_text
        self.authors = self.authors or other.authors
        self.others += other.others

    @property
    def date(self) -> PageDate | None:
        """The date of publication, or the date of an update if there is no other."""
        if self.published or self.updated is None:
            return self.published
        guess = f'"{self.date_text}" is the date of an update: the page gives no other date'
        return replace(self.updated, guess=self.updated.guess or guess, source=DateSource.UNCERTAIN)

    @property
    def guesses(self) -> list[str]:
        """A sentence for each guess."""
        date = self.date
        left_out = [f'the text "{text}" next to the date was left out' for text in self.others]
        return [*([date.guess] if date and date.guess else []), *left_out]

    def adds_to(self, other: "Details") -> bool:
        """Return whether these details contain something that the other ones lack. An age alone does not count."""
        dates = self.published is not None and self.published.is_calendar_date and other.published is None
        other_dates = self.is_labelled and self.published is None
        return (
            dates
            or other_dates
            or bool(self.updated and not other.updated)
            or bool(self.authors and not other.authors)
        )


@dataclass(frozen=True, slots=True)
class ScannedLine:
    """A line, or two that belong together, with its details if it has no other content."""

    lines: tuple[str, ...]
    details: Details | None


def scan(lines: Sequence[str], retrieval: Retrieval) -> Iterator[ScannedLine]:
    """Yield all lines in order. A label and its value, or a date and its time, may be on lines of their own."""
    index = 0
    while index < len(lines):
        count = 2 if _LABEL_ONLY.fullmatch(lines[index]) else 1
        if len(lines) > index + count and is_time(lines[index + count]):
            count += 1
        together = tuple(lines[index : index + count])
        details = read_details(" ".join(together), retrieval)
        if details is None and count > 1:
            together = together[:1]
            details = read_details(together[0], retrieval)
        yield ScannedLine(together, details)
        index += len(together)


def read_details(line: str, retrieval: Retrieval) -> Details | None:
    """Return the details of a line that consists of nothing else, otherwise `None`."""
    if len(line) > _MAX_LINE:
        return None
    line = _LOST_SPACE.sub(" ", line)
    whole = _part(line, retrieval)
    if whole is not None:
        return whole
    details, others, recognised = Details(), list[str](), False
    with_bars = _OTHERS_BETWEEN_BARS.search(line) is not None
    for part in _parts(line):
        part_details = _part(part, retrieval)
        if part_details is not None:
            details.add(part_details)
            recognised = True
        elif with_bars and part and len(part) <= _MAX_OTHER and part[-1] not in ".!?…:":
            others.append(part)
        elif part:
            return None
    if not recognised or (others and (details.published or details.updated) is None) or len(others) > 2:
        return None
    details.others += others
    return details


def _parts(line: str) -> list[str]:
    """Return the parts of a line. A time belongs to the part before it."""
    parts: list[str] = []
    for between_bars in _BAR.split(line):
        for part in _BEFORE_LABEL.split(between_bars):
            if parts and is_time(part):
                parts[-1] += f" {part}"
            else:
                parts.append(part)
    return parts


def _part(text: str, retrieval: Retrieval) -> Details | None:
    text = text.strip(" ,;")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    elif text.endswith(")") and "(" not in text:
        text = text[:-1]
    if _NOISE.fullmatch(text):
        return Details()
    details = _dated(text, retrieval) or _bylined(text, retrieval) or _dated_and_bylined(text, retrieval)
    category = _IN_CATEGORY.fullmatch(text) if details is None else None
    # "Today in History" is a headline.
    if category and re.search(r"\d|\bago\b", category["rest"]):
        name, *byline = _BEFORE_BY.split(category["name"], maxsplit=1)
        details = _part(" ".join([category["rest"], *byline]), retrieval)
        if details is None or details.date is None:
            return None
        details.others.append(name)
    return details


def _dated(text: str, retrieval: Retrieval) -> Details | None:
    other_label = _OTHER_LABEL.match(text)
    if other_label and read_date(text[other_label.end() :], retrieval):
        return Details(is_labelled=True, others=[text])
    label = _LABEL.match(text)
    date_text = text[label.end() :] if label else text
    when = read_date(date_text, retrieval) or _date_below_age(date_text, retrieval)
    if when is None:
        # "Updated 9:00 AM" has no date.
        return Details() if label and label["updated"] and is_time(date_text) else None
    if label and label["updated"]:
        return Details(updated=when, date_text=date_text)
    return Details(published=when, is_labelled=label is not None, date_text=date_text)


def _date_below_age(text: str, retrieval: Retrieval) -> PageDate | None:
    """Read the date of "3 months ago on December 5, 2024"."""
    match = _AGE_AND_DATE.fullmatch(text)
    if match is None or read_age(match["age"]) is None:
        return None
    return read_date(match["date"], retrieval)


def _bylined(text: str, retrieval: Retrieval) -> Details | None:
    """Read "By Ada Example", and "By Ada Example on December 5, 2024"."""
    label = _BY.match(text)
    if label is None:
        return None
    rest = text[label.end() :]
    explicit = " " in label["label"].strip() or ":" in label["label"]
    names = author_names(rest, allow_handle=explicit)
    if names:
        return Details(authors=names)
    for gap in list(_AFTER_NAMES.finditer(rest))[-_MAX_WORDS:]:
        dated = _dated(rest[gap.end() :], retrieval)
        names = author_names(rest[: gap.start()], allow_handle=True) if dated else None
        if dated and names:
            dated.authors = names
            return dated
    return None


def _dated_and_bylined(text: str, retrieval: Retrieval) -> Details | None:
    """Read "Posted on December 5, 2024 by Ada Example"."""
    for gap in islice(_BEFORE_BY.finditer(text), _MAX_WORDS):
        dated = _dated(text[: gap.start()], retrieval)
        byline = _BY.match(text, gap.end())
        names = author_names(text[byline.end() :], allow_handle=True) if dated and byline else None
        if dated and names:
            dated.authors = names
            return dated
    return None
