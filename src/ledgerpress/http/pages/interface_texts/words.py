"""Texts in English, and the words of a page: the same texts in the language of the site.

`words("Next page")` in a template is HTML. Values of placeholders are escaped and isolated, so text of users can neither
add elements nor change the order of the words around it (Unicode Standard Annex #9).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from functools import cache, cached_property
from typing import Any, Final, Protocol, TypeAlias

from markupsafe import Markup, escape

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.pages.interface_texts.catalogues import COUNT, Catalogue
from ledgerpress.http.pages.interface_texts.date_and_number_formats import Formats
from ledgerpress.http.pages.interface_texts.placeholders import fill
from ledgerpress.http.pages.language_and_direction import (
    bdi,
    direction_of,
    english_attributes,
    isolated,
)

_ENGLISH: Final = "en"
_REMEMBERED: Final = 2_048
"""How many texts without values except for a number, and how many times, are remembered in each language."""


class InterfaceText(Protocol):
    """Something that a page shows in the language of the site, such as a date. `str` returns it in English."""

    def in_words(self, words: "Words") -> str:
        """Return the text in the language of `words`, with values that are isolated as plain text."""
        ...


class Text:
    """A text of the site in English, which a template shows with `words(…)`. The catalogues have its translations.

    `Text("{count} article", "{count} articles", count=3)` has two forms; languages may have more. A value is text of a
    user, a number, or another `Text`. `context` distinguishes two meanings of the same English words.
    """

    __slots__ = ("context", "english", "plural", "values")

    def __init__(
        self, english: str, plural: str | None = None, /, *, context: str = "", **values: "Value"
    ) -> None:
        self.english = english
        self.plural = plural
        self.context = context
        self.values = values

    def in_words(self, words: "Words") -> str:
        return words.text(self)

    def __str__(self) -> str:
        return self.in_words(english_words())

    def __repr__(self) -> str:
        return f"Text({str(self)!r})"


Value: TypeAlias = "str | int | InterfaceText | Markup"
"""A value of a placeholder. HTML (`Markup`) can only be a value of a text that is shown as HTML."""


class Words:
    """The site's own words in one language.

    A text without a translation is in English, and is marked as English on a page in another language.
    """

    def __init__(self, language: str, catalogue: Catalogue | None = None) -> None:
        """`language` is that of the page. `catalogue` has the translations into it; `None` if there are none."""
        self.language = language
        self._catalogue: Catalogue = catalogue or {}
        self._html = BoundedCache[tuple[str, str, Any], Markup](max_entries=_REMEMBERED)
        self._minutes = BoundedCache[tuple[datetime, tzinfo | None], str](max_entries=_REMEMBERED)
        # Both are empty on a page in English.
        self._mark = english_attributes(language)
        self._is_english = not self._mark
        is_known = self._is_english or catalogue is not None
        self.formats = Formats(language if is_known else _ENGLISH)
        """The formats of dates and numbers. In a language without translations, they are those of English words."""
        self.has_translations = is_known
        self._is_right_to_left = direction_of(language) == "rtl"

    def __call__(
        self, text: "str | InterfaceText", plural: str | None = None, /, *, context: str = "", **values: Value
    ) -> Markup:
        """Return a text as HTML. HTML that this function returned before is returned unchanged."""
        if isinstance(text, Markup):
            return text
        key = None
        if isinstance(text, str) and (not values or (plural is not None and len(values) == 1)):
            key = (context, text, values.get(COUNT))
            known = self._html.get(key)
            if known is not None:
                return known
        if isinstance(text, Text):
            return self(text.english, text.plural, context=text.context, **text.values)
        if not isinstance(text, str):
            return self._marked(escape(text.in_words(self)), is_english=not self.has_translations)
        form, is_english = self._form(text, plural, context, values)
        html = self._marked(Markup(fill(form, values, escape, self._as_html)), is_english=is_english)  # noqa: S704 - all parts are escaped
        if key is not None:
            self._html.put(key, html)
        return html

    def text(
        self, text: "str | InterfaceText", plural: str | None = None, /, *, context: str = "", **values: Value
    ) -> str:
        """Return a text as plain text, for `<title>` and for attributes. It is not escaped; templates escape it."""
        if isinstance(text, Text):
            return self.text(text.english, text.plural, context=text.context, **text.values)
        if not isinstance(text, str):
            return text.in_words(self)
        form, is_english = self._form(text, plural, context, values)
        # In text from right to left, any text from left to right is isolated, too.
        always = self._is_right_to_left and not is_english
        return fill(form, values, str, lambda value: self._as_text(value, always=always)) if values else form

    def list(self, items: Iterable[Value], each: Callable[[Any], Markup] | None = None) -> Markup:
        """Return a list such as “A, B and C” as HTML. `each` returns an item as HTML, such as a macro does."""
        parts = [(each or self._as_html)(item) for item in items]
        if len(parts) < 2:
            return Markup("").join(parts)
        patterns = self.formats.list_patterns
        if len(parts) == 2:
            return _joined(patterns["2"], *parts)
        result = _joined(patterns["end"], parts[-2], parts[-1])
        for part in reversed(parts[1:-2]):
            result = _joined(patterns["middle"], part, result)
        return _joined(patterns["start"], parts[0], result)

    def number(self, number: int) -> str:
        """Return a number with the separators of the language."""
        return self.formats.number(number)

    def minute(self, at: datetime) -> str:
        """Return a time with its day and its time zone."""
        # Equal times in two zones are equal.
        key = (at, at.tzinfo)
        text = self._minutes.get(key)
        if text is None:
            formats = self.formats
            text = self._minute(formats.day(at.date()), formats.time(at), formats.zone(at))
            self._minutes.put(key, text)
        return text

    @cached_property
    def minute_pattern(self) -> str:
        """The same, with the placeholders `{day}`, `{time}` and `{zone}`, for a script that formats times."""
        return self._minute("{day}", "{time}", "{zone}")

    def _minute(self, day: str, time: str, zone: str) -> str:
        return self.text(Text("{day}, {time} {zone}", day=day, time=time, zone=zone))

    def age(self, age: tuple[int, str] | None) -> str:
        """Return an age, such as (2, "year"), or `None` below a minute."""
        return self.text(Text("just now")) if age is None else self.formats.ago(*age)

    @property
    def attributes(self) -> Markup:
        """The HTML attributes of an element that contains texts as plain text, such as the options of a list."""
        return Markup() if self.has_translations else self._mark

    def _form(
        self, text: str, plural: str | None, context: str, values: Mapping[str, Value]
    ) -> tuple[str, bool]:
        """Return the form of a text for the values, and whether it is in English on a page in another language."""
        count: Any = None if plural is None else values[COUNT]
        translation = self._catalogue.get((context, text))
        if translation is not None:
            return translation.form(count), False
        return (text if plural is None or count == 1 else plural), not self._is_english

    def _marked(self, html: Markup, *, is_english: bool) -> Markup:
        return Markup("<bdi{}>{}</bdi>").format(self._mark, html) if is_english and self._mark else html

    def _as_html(self, value: Value) -> Markup:
        if isinstance(value, Markup):
            return value
        if isinstance(value, str):
            return bdi(value)
        return escape(self._own(value))

    def _as_text(self, value: Value, *, always: bool) -> str:
        """Return a value as plain text that is isolated if it needs that, or always."""
        if isinstance(value, str):
            return isolated(value, always=always)
        return self._own(value)

    def _own(self, value: "int | InterfaceText") -> str:
        return self.number(value) if isinstance(value, int) else value.in_words(self)


def _joined(pattern: str, first: Markup, second: Markup) -> Markup:
    """Return a pattern of the CLDR, such as `{0} and {1}`, with two parts of a list."""
    before, _, rest = pattern.partition("{0}")
    between, _, after = rest.partition("{1}")
    return escape(before) + first + escape(between) + second + escape(after)


@cache
def english_words() -> Words:
    """Return the words in English, without changes of a site."""
    return Words(_ENGLISH)
