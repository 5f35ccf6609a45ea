"""The words of pages: translations, plural forms, values, lists, numbers, dates and zones."""

import re
import unicodedata
from datetime import UTC, date, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from ledgerpress.features.registry import page_contributions
from ledgerpress.http.pages.interface_texts.catalogues import InvalidCatalogue, check_folder
from ledgerpress.http.pages.interface_texts.date_and_number_formats import Formats
from ledgerpress.http.pages.interface_texts.translations import Translations, translations_of
from ledgerpress.http.pages.interface_texts.words import Text, Words
from tests.integration.test_pages_in_many_languages import is_balanced

SHIPPED = translations_of(page_contributions())
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
HOSTILE = "<b>&amp;\u202e {count} {0} %s \u2069\u2067"


def po(*messages: tuple[str, str]) -> str:
    return HEADER + "".join(f'msgid "{id_}"\nmsgstr "{text}"\n\n' for id_, text in messages)


def catalogue(folder: Path, language: str, *messages: tuple[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{language}.po").write_text(po(*messages), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", {0: "0 articles", 1: "1 article", 2: "2 articles", 1234: "1,234 articles"}),
        ("de", {0: "0 Artikel", 1: "1 Artikel", 1234: "1.234 Artikel"}),
        ("fr", {0: "0 article", 1: "1 article", 2: "2 articles", 1234: "1\u202f234 articles"}),
        ("es", {1: "1 artículo", 1234: "1234 artículos", 12345: "12.345 artículos"}),
        (
            "ar",
            {
                0: "لا مقالات", 1: "مقال واحد", 2: "مقالان", 3: "3 مقالات", 10: "10 مقالات", 11: "11 مقالًا",
                99: "99 مقالًا", 100: "100 مقال", 102: "102 مقال", 103: "103 مقالات", 1_234: "1,234 مقالًا",
            },
        ),
        ("he", {1: '<bdi lang="en" dir="ltr">1 article</bdi>'}),
    ],
)  # fmt: skip
def test_plural_forms(language: str, expected: dict[int, str]) -> None:
    words = SHIPPED.words(language)
    for count, text in expected.items():
        assert words("{count} article", "{count} articles", count=count) == text


@pytest.mark.parametrize(
    ("language", "single", "pair", "triple"),
    [
        ("en", "A", "A and B", "A, B and C"),
        ("en-US", "A", "A and B", "A, B, and C"),
        ("de", "A", "A und B", "A, B und C"),
        ("fr", "A", "A et B", "A, B et C"),
        ("es", "A", "A y B", "A, B y C"),
        ("ar", "A", "A وB", "A وB وC"),
    ],
)
def test_lists(language: str, single: str, pair: str, triple: str) -> None:
    words = SHIPPED.words(language)
    items = [Markup("A"), Markup("B"), Markup("C"), Markup("D")]
    assert [words.list(items[:count]) for count in range(4)] == ["", single, pair, triple]
    assert words.list([HOSTILE, Markup("B"), HOSTILE]).count("<bdi>") == 2
    assert words.list(["a", "b"], lambda name: Markup("<i>{}</i>").format(name)).count("<i>") == 2


@pytest.mark.parametrize(
    ("language", "age", "expected"),
    [
        ("en", (1, "minute"), "1 minute ago"), ("en", (3, "week"), "3 weeks ago"), ("en", None, "just now"),
        ("de", (1, "day"), "vor 1 Tag"), ("de", (2, "year"), "vor 2 Jahren"), ("de", None, "gerade eben"),
        ("fr", (2, "month"), "il y a 2 mois"), ("es", (1, "hour"), "hace 1 hora"),
        ("ar", (1, "year"), "قبل سنة واحدة"), ("ar", (2, "day"), "قبل يومين"), ("ar", (11, "hour"), "قبل 11 ساعة"),
        ("he", (2, "day"), "2 days ago"),
    ],
)  # fmt: skip
def test_ages(language: str, age: tuple[int, str] | None, expected: str) -> None:
    assert SHIPPED.words(language).age(age) == expected


def test_dates_and_zones() -> None:
    assert Formats("fr").day(date(2024, 3, 1)) == "1er mars 2024"
    assert Formats("fr").day(date(2024, 3, 11)) == "11 mars 2024"
    assert Formats("de-AT").day(date(2024, 1, 1)) == "1. Jänner 2024"
    summer, winter = (datetime(2024, month, 1, tzinfo=ZoneInfo("Europe/Berlin")) for month in (7, 1))
    assert [Formats(language).zone(summer) for language in ("en", "de", "ar")] == ["CEST", "MESZ", "CEST"]
    assert Formats("de").zone(winter) == "MEZ"
    assert Formats("de").zone(datetime(2024, 1, 1, tzinfo=UTC)) == "UTC"
    assert Formats("de").zone(datetime(2024, 1, 1, tzinfo=ZoneInfo("Asia/Kathmandu"))) == "UTC+0545"
    assert Formats("ar-EG").browser_locale == "ar-EG-u-nu-latn"


@pytest.mark.parametrize(
    "language", ["xx-QQ", "x-desk", "und", "de-QM", "zh-Hant-TW", "ar-Latn", "i-klingon"]
)
def test_every_language_has_formats(language: str) -> None:
    assert Formats(language).day(date(2024, 3, 1))
    assert Translations().words(language).number(1_234_567)


@pytest.mark.parametrize(
    ("language", "known"),
    [("de-CH-1996", True), ("DE-ch", True), ("arb", True), ("ar-EG-u-nu-latn", True), ("fr-x-a", True),
     ("ar-Latn", False), ("de-Hebr", False), ("he", False), ("x-de", False), ("und", False)],
)  # fmt: skip
def test_a_tag_falls_back_to_its_language_in_the_same_script(language: str, known: bool) -> None:
    words = SHIPPED.words(language)
    assert words.has_translations is known
    assert ("<bdi lang=" not in words("Corrections")) is known


def test_a_later_folder_and_a_more_specific_language_replace_a_translation(tmp_path: Path) -> None:
    folders = [
        catalogue(tmp_path / "a", "de", ("One", "Eins"), ("Two", "Zwei"), ("Three", "Drei")),
        catalogue(tmp_path / "b", "de", ("Two", "Zwo")),
    ]
    catalogue(tmp_path / "a", "de-CH", ("Three", "Drü"))
    catalogue(tmp_path / "b", "en", ("One", "No 1"))
    translations = Translations(folders)
    swiss, english = translations.words("de-CH"), translations.words("en-GB")
    assert [swiss(text) for text in ("One", "Two", "Three")] == ["Eins", "Zwo", "Drü"]
    assert translations.words("de")("Three") == "Drei"
    assert [english(text) for text in ("One", "Two")] == ["No 1", "Two"]


def test_a_text_without_a_translation_is_in_english_and_marked(tmp_path: Path) -> None:
    words = Translations([catalogue(tmp_path / "a", "ar", ("One", "واحد"), ("Empty", ""))]).words("ar")
    assert words("One") == "واحد"
    assert words("Empty") == '<bdi lang="en" dir="ltr">Empty</bdi>'
    assert words("By {name}", name="A") == '<bdi lang="en" dir="ltr">By <bdi>A</bdi></bdi>'
    assert words.text("By {name}", name="A") == "By A"
    assert words.attributes == ""
    assert Translations().words("ar").attributes == ' lang="en" dir="ltr"'


def test_a_context_distinguishes_meanings() -> None:
    words = Words("de", {})
    assert words("Show", context="noun") == '<bdi lang="en" dir="ltr">Show</bdi>'
    assert str(Text("Show {name}", context="noun", name="A")) == "Show A"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (po(("By {name}", "Von {nam}")), "has the placeholder {nam}, but “By {name}” does not"),
        (po(("By {name}", "Von")), "lacks the placeholder {name}"),
        (HEADER + 'msgid "{count} a"\nmsgid_plural "{count} b"\nmsgstr[0] "{count} c"\n', "needs 2 forms"),
        (HEADER + 'msgid "A\n', "is not a valid catalogue"),
        (po(("A", "B")).replace("n != 1", "import os"), "is not a valid catalogue"),
        (po(("A", "B")).replace("n != 1", "n" + "+n" * 4_000), "is not a valid catalogue"),
    ],
)
def test_an_invalid_catalogue_is_rejected_or_its_translation_is_not_used(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "de.po").write_text(content, "utf-8")
    with pytest.raises(InvalidCatalogue, match=re.escape(message)):
        check_folder(tmp_path)
    if "not a valid" not in message:
        assert "lang=" in Translations([tmp_path]).words("de")("By {name}", name="A")


def test_a_folder_without_a_catalogue_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalogue, match=r"has no catalogue such as de\.po"):
        check_folder(tmp_path / "missing")


class Reader(HTMLParser):
    """Reads the elements and the text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.sampled_from(["en", "de", "fr", "es", "ar", "he"]), st.text() | st.just(HOSTILE), st.text())
def test_values_stay_escaped_and_isolated(language: str, title: str, name: str) -> None:
    """No value adds an element, changes the order of the text around it, or is taken for a placeholder."""
    words = SHIPPED.words(language)
    html = words("in “{title}”", title=title) + words.list([name, title])
    reader = Reader(html)
    own = ("bdi", (("lang", "en"), ("dir", "ltr"))) if language == "he" else None
    assert [element for element in reader.elements if element != own] == [("bdi", ())] * 3
    for inner in re.findall(r"<bdi>(.*?)</bdi>", html, re.DOTALL):
        assert is_balanced(unescape(inner))
    plain = words.text("Version {number}: {title}", number=3, title=title)
    assert is_balanced(plain)
    assert title in plain or any(unicodedata.bidirectional(character) == "PDI" for character in title)
    template = Environment(autoescape=True).from_string('<p title="{{ words.text(t, title=v) }}"></p>')
    (element,) = Reader(template.render(words=words, t="in “{title}”", v=title)).elements
    assert [name for name, _ in element[1]] == ["title"]


def test_a_catalogue_cannot_add_elements(tmp_path: Path) -> None:
    words = Translations([catalogue(tmp_path, "de", ("By {name}", "<b>{name}</b>"))]).words("de")
    assert words("By {name}", name=Markup("<i>A</i>")) == "&lt;b&gt;<i>A</i>&lt;/b&gt;"
