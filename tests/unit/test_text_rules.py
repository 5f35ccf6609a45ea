"""The rules for texts in commands: limits, invisible text, and control characters."""

import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection
from tests.user_errors import refused

CONTROLS = ["\x00", "\x07", "\x1b", "\x1c", "\x1f", "\x7f", "\x80", "\x9f"]
LINE_ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"]
BYTE_ORDER_MARK = "\ufeff"
INVISIBLE = [
    "\u3164", "\u115f", "\u1160", "\uffa0", "\u2800", "\u034f", "\ufe0f", "\u17b4", "\u17b5", "\u2065", "\u180e", "\u180b",
    "\u061c", "\u200b", "\u200d", "\u200e", "\u202e", "\u2062", "\u2066", "\ufeff", "\ufff0", "\ufff9", "\U0001bca0",
    "\U0001d173", "\U000e0001", "\U000e0041", "\U000e0100", "\U000e0fff", "\U00013441", "\U00016fe4", "\U0001d159", "\u1680",
    "\u3000", "\u00ad",
]  # fmt: skip
"""Default-ignorable characters, white space, and characters whose glyph is blank."""
LONE_SURROGATE = "\ud83c"


def line(value: str, limit: int = 10) -> str:
    return text_rules.line(value, field="title", limit=limit)


def optional(value: str | None, limit: int = 10) -> str | None:
    return text_rules.optional_text(value, field="teaser", limit=limit)


def test_a_line_is_trimmed_and_in_nfc() -> None:
    assert line("\n  e\u0301te\u0301\t ") == "été"


def test_limits_count_characters_after_trimming() -> None:
    assert line(" " * 50 + "🌊" * 10) == "🌊" * 10
    assert line("e\u0301" * 10) == "é" * 10
    with refused(ErrorCode.TOO_LONG, "title") as rejection:
        line("🌊" * 11)
    assert rejection.value.message == "The title has 11 characters; at most 10 are allowed."


@pytest.mark.parametrize("nothing", ["", " ", "\n\t", "\u00a0", "\u200b", "\u2060\ufeff", "\u2028", "\u00ad"])
def test_a_line_without_visible_characters_is_blank(nothing: str) -> None:
    with refused(ErrorCode.BLANK, "title"):
        line(nothing)


@pytest.mark.parametrize(
    "character", [*INVISIBLE, *map("".join, zip(INVISIBLE, INVISIBLE[::-1], strict=True))]
)
def test_a_line_of_invisible_characters_is_blank_and_an_optional_text_of_them_is_none(character: str) -> None:
    with refused(ErrorCode.BLANK, "title") as rejection:
        line(f" {character} ", limit=30)
    if character.strip(f" \u1680\u3000{BYTE_ORDER_MARK}"):
        assert rejection.value.message == "The title must contain a visible character."
    assert optional(f"\n{character} ", limit=30) is None
    assert text_rules.is_blank(character)


@pytest.mark.parametrize(
    "visible", ["a", "潮", "❤\ufe0f", "\u0600", "\u06dd", "\u0301", "⠁", "ᄀ", "\U00013000", "-", "\ue000"]
)
def test_a_line_with_a_visible_character_is_not_blank(visible: str) -> None:
    assert line(visible) == visible
    assert not text_rules.is_blank(f"\u3164{visible}")


def test_every_default_ignorable_character_is_invisible() -> None:
    ignorable = regex.compile(r"\p{Default_Ignorable_Code_Point}")
    every = [chr(number) for number in range(0x110000)]
    ignored = {character for character in every if ignorable.match(character)}
    assert len(ignored) > 4_000
    assert all(map(text_rules.is_blank, ignored))


@pytest.mark.parametrize("character", [*CONTROLS, LONE_SURROGATE])
def test_a_line_with_control_characters_is_rejected(character: str) -> None:
    with refused(ErrorCode.INVALID_TEXT, "title") as rejection:
        line(f"a{character}b")
    name = f"U+{ord(character):04X}"
    assert rejection.value.message == f"The title contains the character {name}, which is not allowed."


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_line_with_a_line_end_is_rejected(end: str) -> None:
    with refused(ErrorCode.INVALID_TEXT, "title") as rejection:
        line(f"a{end}b")
    name = f"U+{ord(end[0]):04X}"
    assert rejection.value.message == f"The title must be one line, but contains the line end {name}."
    assert line(f"{end}a{end}") == "a"


def test_a_tab_in_a_line_becomes_a_space() -> None:
    assert line("\ta\tb\t") == "a b"


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "👩\u200d🚀", "❤\ufe0f", "葛\U000e0100", "ᠠ\u180b", "Zei\u00adtung"]
)
def test_joiners_and_variation_selectors_stay(text: str) -> None:
    assert line(f"{text} {text}", limit=30) == f"{text} {text}"
    assert optional(text) == text_rules.body(text) == text
    if "\u00ad" not in text:
        assert text_rules.name_from_elsewhere(text, limit=30) == text


def test_a_byte_order_mark_is_stripped() -> None:
    assert line("\ufeffTitle") == line(" \ufeff \ufeffTitle\ufeff\n") == "Title"
    assert optional("\ufeffone\r\n\ufefftwo") == "one\ntwo"
    assert text_rules.body("\ufeff# One\r\n\ufeff# Two, of a concatenated file\n") == (
        "# One\n# Two, of a concatenated file\n"
    )
    assert text_rules.body("no\ufeffbreak") == "no\ufeffbreak"


@pytest.mark.parametrize(
    ("end", "expected"),
    [(end, {"\u2029": "\n\n"}.get(end, "\n")) for end in LINE_ENDS],
)
def test_line_ends_become_line_feeds(end: str, expected: str) -> None:
    assert optional(f"a{end}b{end}") == f"a{expected}b"
    if end != "\f":
        assert text_rules.body(f"a{end}b{end}") == f"a{expected}b{expected}"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("  Ada\n\tBrook\0 ", "Ada Brook"),
        ("\ufeffA\u202eda\u200b\u2066", "Ada"),
        ("فاطمه\u200cزهرا", "فاطمه\u200cزهرا"),
        ("🇫🇷" * 20, "🇫🇷" * 15),
        ("Ada" + " " * 30 + "B", "Ada B"),
        ("x" * 29 + " y", "x" * 29),
        ("\u3164\ud800\u200d", ""),
    ],
)
def test_a_name_from_another_system_is_cleaned_and_cut(value: str, name: str) -> None:
    assert text_rules.name_from_elsewhere(value, limit=30) == name


@given(st.text(st.characters(), max_size=40))
def test_a_name_from_another_system_can_be_recorded(value: str) -> None:
    name = text_rules.name_from_elsewhere(value, limit=30)
    if name:
        assert line(name, limit=30) == name


@pytest.mark.parametrize("joiner", ["\u200d", "\u200c", "\u00ad", "\u202b"])
def test_characters_that_shape_text_are_preserved(joiner: str) -> None:
    assert line(f"a{joiner}b") == f"a{joiner}b"


@pytest.mark.parametrize("nothing", [None, "", " \n "])
def test_optional_text_that_is_empty_is_none(nothing: str | None) -> None:
    assert optional(nothing) is None


def test_optional_text_can_have_several_lines() -> None:
    assert optional(" a\n\tb ") == "a\n\tb"
    with refused(ErrorCode.TOO_LONG, "teaser"):
        optional("x" * 11)


@pytest.mark.parametrize("character", [*CONTROLS, LONE_SURROGATE])
def test_a_text_or_a_body_with_control_characters_is_rejected(character: str) -> None:
    with refused(ErrorCode.INVALID_TEXT, "teaser"):
        optional(f"a{character}b")
    with refused(ErrorCode.INVALID_TEXT, "body"):
        text_rules.body(f"a{character}b")


def test_a_body_is_unchanged_except_for_its_line_ends() -> None:
    assert text_rules.body("  # e\u0301\r\n\r\n\tcode\f\rend  \n") == "  # e\u0301\n\n\tcode\f\nend  \n"
    assert text_rules.body("") == ""


def test_a_body_has_a_limit_in_bytes() -> None:
    assert text_rules.body("é" * (text_rules.MAX_BODY_BYTES // 2))
    with refused(ErrorCode.TOO_LONG, "body"):
        text_rules.body("é" * (text_rules.MAX_BODY_BYTES // 2) + "x")


def test_messages_name_fields_in_words() -> None:
    with refused(ErrorCode.BLANK, "idempotencyKey") as rejection:
        text_rules.line("", field="idempotencyKey", limit=10)
    assert rejection.value.message == "The idempotency key must not be empty."


_any = st.lists(
    st.characters() | st.sampled_from([*CONTROLS, *LINE_ENDS, *INVISIBLE, "\t", "a"]), max_size=30
).map("".join)


@given(_any)
@example("\ufeff\n\ufeffa")
def test_accepted_text_is_accepted_again_unchanged(value: str) -> None:
    for rule in (line, optional, text_rules.body):
        try:
            accepted = rule(value)
        except Rejection:
            continue
        assert accepted is None or rule(accepted) == accepted


@given(_any)
def test_a_text_is_rejected_exactly_if_a_control_character_remains(value: str) -> None:
    allowed = all(
        unicodedata.category(character) not in {"Cc", "Cs"} or character in "\t\n\v\f\r\x85"
        for character in value
    )
    if not allowed:
        with refused(ErrorCode.INVALID_TEXT, "body"):
            text_rules.body(value)
        return
    body = text_rules.body(value)
    assert not set(body) & set("\r\v\x85\u2028\u2029")
    assert visible(body) == visible(value)


def visible(text: str) -> list[str]:
    return [character for character in text if not text_rules.is_blank(character)]
