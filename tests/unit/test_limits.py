"""Limits of documents and variables, and the cache of documents."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from graphql import GraphQLError, parse

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.documents import Documents, RequestError, check_variables
from ledgerpress.graphql.errors import LONGEST_MESSAGE, client_error
from ledgerpress.graphql.limits import source
from ledgerpress.graphql.limits.document_shape import check_shape
from ledgerpress.graphql.limits.exceeded import LimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.limits.source import check_source

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMY = Limits.development()


def measured_shape(query: str, **limits: int) -> int:
    """Return the measured value that the error for exceeded `limits` reports."""
    with pytest.raises(LimitExceeded) as caught:
        check_shape(parse(query), msgspec.structs.replace(ROOMY, **limits))
    assert caught.value.extensions is not None
    measured: int = caught.value.extensions["found"]
    return measured


@pytest.mark.parametrize(
    ("query", "limits", "measured"),
    [
        ("{ a { b { c } } }", {"depth": 2}, 3),
        ("{ ... { a { ... on T { b } } } }", {"depth": 1}, 2),
        ("{ a { ...F } } fragment F on T { b { ...G } } fragment G on T { c }", {"depth": 2}, 3),
        ("{ x: a y: b { z: c } }", {"aliases": 2}, 3),
        ("{ ...F ...F } fragment F on T { x: a y: b }", {"aliases": 3}, 4),
        ("{ a @x @y b { c @z } }", {"directives": 2}, 3),
        ("query ($v: Int @x) @y { a @z ...F @p } fragment F on T @q { b }", {"directives": 4}, 5),
        ("{ a @x @y @z }", {"directives_in_place": 2}, 3),
        ("{ a a b { c c } }", {"repeated_selections": 1}, 2),
        ("{ a ... { a } b { a } }", {"repeated_selections": 0}, 1),
        ("{ n: a n: a }", {"repeated_selections": 0}, 1),
        ("{ a ... on S { a } ... on T { a } ... on T { a } }", {"repeated_selections": 0}, 1),
        ("{ ...F ...F } fragment F on T { a }", {"repeated_selections": 0}, 1),
        ("{ a { ...F } b { ...F } } fragment F on T { a a }", {"repeated_selections": 1}, 2),
        ("{ a b ...F } fragment F on T { c { d } }", {"root_fields": 2}, 3),
        ("{ a { b } ...F } fragment F on T { c }", {"selections": 3}, 4),
        ("{ a } fragment F on T { b } fragment G on T { b }", {"fragments": 1}, 2),
        ("query A { a } query B { a }", {"operations": 1}, 2),
        ("{ a(x: 1, y: 2) }", {"arguments": 1}, 2),
        ("{ a(x: { y: 1, z: 2 }) }", {"arguments": 1}, 2),
        ("query ($x: Int, $y: Int) { a }", {"arguments": 1}, 2),
        ("{ a(x: { y: [[1, 2, 3]] }) }", {"list_length": 2}, 3),
        ("query ($x: [Int] = [1, 2, 3]) { a }", {"list_length": 2}, 3),
        ("{ a @x(y: [1, 2, 3]) }", {"list_length": 2}, 3),
        ("{ abcd }", {"name_length": 3}, 4),
        ("{ a(x: 12345) }", {"name_length": 3}, 5),
    ],
)
def test_measured_shapes_of_documents(query: str, limits: dict[str, int], measured: int) -> None:
    assert measured_shape(query, **limits) == measured
    allowed = dict.fromkeys(limits, measured)
    check_shape(parse(query), msgspec.structs.replace(ROOMY, **allowed))


def test_a_fragment_is_counted_once_even_if_it_is_spread_often() -> None:
    count = 150
    fragments = " ".join(
        f"fragment F{i} on T {{ ...F{i + 1} ... {{ ...F{i + 1} }} a {{ ...F{i + 1} }} }}"
        for i in range(count)
    )
    document = parse(f"{{ ...F0 }} {fragments} fragment F{count} on T {{ a }}", max_tokens=None)
    with pytest.raises(LimitExceeded, match="nested too deeply: 151"):
        check_shape(document, ROOMY)


def test_measuring_a_fragment_that_spreads_itself_terminates() -> None:
    check_shape(parse("{ ...A } fragment A on T { a { ...B } } fragment B on T { b { ...A ...B } }"), ROOMY)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff{ a }",
        '{ a(b: "\u202e \u200b \ufeff") }',
        '{ a(b: """ " \u200b \\""" \ufeff """) }',
        '{ a(b: "\\" \u200b") } # plain',
        "{ a } # é 潮 \U0001f30a",
        "{\t\r\n a }",
    ],
)
def test_allowed_characters_in_a_document(text: str) -> None:
    check_source(text, ROOMY)


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("{ a\0 }", "U+0000"),
        ('{ a(b: "\x07") }', "U+0007"),
        ("{ a } # \x1b[2J", "U+001B"),
        ("{ a } # \u202e", "U+202E"),
        ('{ a(b: "x") \u200b }', "U+200B"),
        ('{ a(b: """x""") \ufeff }', "U+FEFF"),
        ('{ a # " \u2066\n }', "U+2066"),
    ],
)
def test_hidden_characters_in_a_document_are_rejected(text: str, character: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        check_source(text, ROOMY)
    assert character in caught.value.message
    assert caught.value.extensions == {"code": "HIDDEN_CHARACTER"}


@pytest.mark.parametrize("text", ["{ a } # \ud800", '{ a(b: "\udfff") }', '{ a(b: "\ud83d\ude00") }'])
def test_lone_surrogates_in_a_document_are_rejected(text: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        check_source(text, ROOMY)
    assert caught.value.message.startswith("query contains the lone surrogate U+D")
    assert caught.value.extensions == {"code": "LONE_SURROGATE"}


def test_the_length_is_counted_in_bytes() -> None:
    limits = Limits(document_bytes=11)
    check_source("{ a } # \u6f6e", limits)
    with pytest.raises(LimitExceeded, match="too many bytes: 12; the limit is 11"):
        check_source("{ a } # \u6f6e ", limits)


@pytest.mark.parametrize("ignored", [" ", "\t", "\n", ",", " \n"])
def test_what_a_lexer_ignores_takes_linear_time(ignored: str) -> None:
    """With quadratic or cubic time, this test would run for hours."""
    check_source("{ a }" + ignored * 200_000, ROOMY)
    check_source(ignored * 200_000 + "{ a }", ROOMY)


def test_a_suggestion_is_removed_in_linear_time() -> None:
    """With quadratic or cubic time, this test would run for hours."""
    blank = f"Unknown value '{' ' * 200_000}'"
    message = client_error(GraphQLError(f"{blank} , Did you mean 'a'?"), suggestions=False)["message"]
    assert "Did you mean" not in message
    for text in ("No field 'x'. Did you mean 'y'?", "No field 'x'.  ,\n did you mean 'y' or 'z'?"):
        assert client_error(GraphQLError(text), suggestions=False)["message"] == "No field 'x'."


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ('"a\\' * 20_000, '"a\\"a\\' * 10_000),
        ('"' + "\\n" * 20_000, '"' + "\\n" * 20_000),
        ('"""' + ' ""' * 20_000 + " ", '"""' + ' ""' * 20_000 + " "),
        ('"\\' * 20_000 + "\n}", '"\\' * 20_000),
        ('"""' + '"\\' * 20_000, '"""' + '"\\' * 20_000),
        ('"""' + '\\"""' * 20_000, '"""' + '\\"""' * 20_000),
    ],
)
def test_a_string_without_an_end_is_one_token(text: str, token: str) -> None:
    """If it were tried again from each of its characters, the time would be quadratic."""
    for pattern in (source._TOKEN, source._STRING):
        match = pattern.match(text)
        assert match is not None
        assert match[0] == token
    check_source(text, msgspec.structs.replace(ROOMY, tokens=10))


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"a": [[[[1]]]]}, "VARIABLES_TOO_DEEP"),
        ({"a": list(range(6))}, "LIST_TOO_LONG"),
        ({"a": [1] * 5, "b": [1] * 5}, "TOO_MANY_VALUES"),
        ({"a": 2**63}, "NUMBER_TOO_LONG"),
    ],
)
def test_variables_are_measured(variables: dict[str, Any], code: str) -> None:
    limits = Limits(variables_depth=4, list_length=5, variables_values=11)
    check_variables({"a": [[[1]]], "b": [1] * 5, "c": 2**63 - 1}, limits)
    with pytest.raises(LimitExceeded) as caught:
        check_variables(variables, limits)
    assert caught.value.extensions is not None
    assert caught.value.extensions["code"] == code


@pytest.mark.parametrize("depth", [20, 80, 110, 140, 190])
def test_deeply_nested_fragments_are_executed_or_give_a_clean_error(depth: int) -> None:
    chain = " ".join(f"fragment F{i} on Query {{ ... {{ ...F{i + 1} }} }}" for i in range(depth))
    query = f"{{ ...F0 }} {chain} fragment F{depth} on Query {{ site {{ name }} }}"
    try:
        cost = Documents(graphql_schema()._schema).operation(query, None).admit(None)
    except RequestError as rejection:
        assert depth > 50
        (error,) = rejection.errors
        assert (error.extensions or {}).get("code") == "TOO_DEEP" or error.message == "Validation aborted."
    else:
        assert tuple(cost) == (1, 2)
        assert depth < 190


@pytest.mark.slow
def test_rejected_documents_do_not_evict_valid_documents() -> None:
    documents = Documents(graphql_schema()._schema)
    good = documents.operation("{ site { name } }", None)
    for number in range(1_000):
        with pytest.raises(RequestError):
            documents.operation(f"{{ x{number} }}", None)
    assert documents.operation("{ site { name } }", None) is good


async def test_a_long_document_is_checked_once_and_in_advance() -> None:
    documents = Documents(graphql_schema()._schema, Limits())
    good = "{ site { name } } #" + "a" * 2_000
    operation = await documents.resolve(good)
    assert await documents.resolve(good) is operation
    assert documents.operation(good, None) is operation
    bad = "{ site { nam } } #" + "a" * 2_000
    for _ in range(2):
        with pytest.raises(RequestError) as caught:
            await documents.resolve(bad)
        assert [error.message for error in caught.value.errors] == [
            "Cannot query field 'nam' on type 'Site'."
        ]


def test_a_message_is_bounded_and_suggests_nothing() -> None:
    (error,) = _errors("{ site { nam } }")
    assert "Did you mean 'name'?" in client_error(error)["message"]
    assert client_error(error, suggestions=False)["message"] == "Cannot query field 'nam' on type 'Site'."
    (error,) = _errors("{ site { " + "n" * 5_000 + " } }")
    assert len(client_error(error)["message"]) <= LONGEST_MESSAGE + 1


def _errors(query: str) -> tuple[Any, ...]:
    limits = msgspec.structs.replace(ROOMY, name_length=10_000)
    with pytest.raises(RequestError) as caught:
        Documents(graphql_schema()._schema, limits).operation(query, None)
    return caught.value.errors


def test_the_defaults_are_those_of_production() -> None:
    limits = Limits()
    assert (limits.document_bytes, limits.tokens, limits.page_size) == (100_000, 2_000, 100)
    assert not limits.introspection
    assert not limits.suggestions
    for name in limits.__struct_fields__:
        if isinstance(getattr(limits, name), int | float):
            assert getattr(limits, name) <= getattr(ROOMY, name), name


def test_every_code_and_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "limits.md").read_text("utf-8")
    sources = (ROOT / "src" / "ledgerpress" / "graphql").glob("limits/*.py")
    codes = {
        code
        for source in sources
        for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', source.read_text("utf-8"))
    }
    assert {"TOO_DEEP", "TIMEOUT", "COST_EXCEEDED"} <= codes
    for name in (*codes, *Limits.__struct_fields__):
        assert f"`{name}`" in page, name


def test_the_cache_of_documents_is_also_bounded_by_their_length() -> None:
    documents = Documents(graphql_schema()._schema)
    padding = "#" + "x" * 40_000 + "\n"
    texts = [f"{padding}query Q{number} {{ site {{ name }} }}" for number in range(10)]
    first = documents.operation(texts[0], None)
    assert documents.operation(texts[0], None) is first
    for text in texts[1:]:
        documents.operation(text, None)
    assert documents.operation(texts[-1], None) is documents.operation(texts[-1], None)
    assert documents.operation(texts[0], None) is not first
