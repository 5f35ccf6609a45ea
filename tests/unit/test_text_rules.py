"""The rules for texts in commands: limits, invisible text, and control characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection
from tests.user_errors import refused

CONTROLS = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f"]
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


@pytest.mark.parametrize("character", [*CONTROLS, LONE_SURROGATE, "\n", "\t", "\u2028", "\u2029"])
def test_a_line_with_control_characters_or_breaks_is_rejected(character: str) -> None:
    with refused(ErrorCode.INVALID_TEXT, "title") as rejection:
        line(f"a{character}b")
    assert f"U+{ord(character):04X}" in rejection.value.message


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


@given(st.text(st.characters(), max_size=30))
def test_accepted_text_is_accepted_again_unchanged(value: str) -> None:
    for rule in (line, optional, text_rules.body):
        try:
            accepted = rule(value)
        except Rejection:
            continue
        assert accepted is None or rule(accepted) == accepted
