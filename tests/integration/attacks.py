"""The attacks of the OWASP GraphQL Cheat Sheet and of npm's graphql-armor, by name, as documents and variables.

The server must reject each attack before it executes anything. Attacks that are not documents, such as batches, are in
`test_attacks.py`. `docs/reference/access.md` describes the permissions.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Attack:
    """A request for too much or for forbidden data, and the error code with which the server rejects it.

    `code` is `None` if a validation rule of the GraphQL specification rejects the request.
    """

    name: str
    query: str
    code: str | None
    variables: dict[str, Any] = field(default_factory=dict)


def _many(count: int, make: Callable[[int], str], between: str = " ") -> str:
    return between.join(make(number) for number in range(count))


def _nested(depth: int, opening: str, innermost: str) -> str:
    return opening * depth + innermost + "}" * depth


LIST: Final = "articles(first: 100) { nodes { "
OWASP: Final = [
    Attack(
        "deep query",
        "{ category(slug: \"a\") { " + _nested(40, "parent { ", "name") + " } }",
        "TOO_DEEP",
    ),
    Attack(
        "circular query through relations",
        "{ articles { nodes { categories { articles { nodes { categories { articles { nodes { title } } } } } } } } }",
        "COST_EXCEEDED",
    ),
    Attack(
        "amount limiting: a page of a thousand million",
        "{ articles(first: 1000000000) { nodes { title } } }",
        "PAGE_TOO_LARGE",
    ),
    Attack(
        "amount limiting: a page by a variable",
        "query ($n: Int) { articles(last: $n) { nodes { title } } }",
        "PAGE_TOO_LARGE",
        {"n": 101},
    ),
    Attack(
        "amount limiting: a list of ids",
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        "LIST_TOO_LONG",
        {"ids": ["a"] * 5_000},
    ),
    Attack(
        "resource exhaustion: pages of pages",
        "{ " + LIST + "categories { " + LIST + "title } } } } } }",
        "COST_EXCEEDED",
    ),
    Attack(
        "resource exhaustion: pages of pages by variables",
        "query ($n: Int = 100) { articles(first: $n) { nodes { categories { articles(first: $n) { nodes { title } } } } } }",
        "COST_EXCEEDED",
    ),
    Attack(
        "resource exhaustion: every version compared",
        "{ posts(first: 100) { nodes { blame { text } history(first: 100) { nodes { before after event } } } } }",
        "COST_EXCEEDED",
    ),
    Attack("introspection of the schema", "{ __schema { types { name } } }", "INTROSPECTION_DISABLED"),
    Attack(
        "introspection of a type", '{ __type(name: "Mutation") { fields { name } } }', "INTROSPECTION_DISABLED"
    ),
    Attack(
        "introspection through a fragment",
        "{ ...A } fragment A on Query { s: __schema { queryType { name } } }",
        "INTROSPECTION_DISABLED",
    ),
    Attack(
        "introspection, circular",
        "{ __schema { types { " + _nested(10, "fields { type { ", "name") + "}" * 10 + " } } }",
        "INTROSPECTION_DISABLED",
    ),
    Attack(
        "brute force of a mutation by aliases",
        "mutation { "
        + _many(100, lambda i: f'a{i}: siteName(input: {{ name: "guess {i}" }}) {{ position }}')
        + " }",
        "TOO_MANY_ROOT_FIELDS",
    ),
    Attack(
        "enumeration of objects by aliases",
        "{ " + _many(100, lambda i: f'a{i}: article(slug: "s{i}") {{ id }}') + " }",
        "TOO_MANY_ROOT_FIELDS",
    ),
    Attack(
        "batch of operations in one document",
        _many(100, lambda i: f"query Q{i} {{ site {{ name }} }}"),
        "TOO_MANY_OPERATIONS",
    ),
    Attack("schema leaking error: an unknown field", "{ artcle { title } }", None),
    Attack("schema leaking error: an unknown argument", '{ article(slig: "a") { title } }', None),
    Attack("schema leaking error: an unknown type", "query ($a: ArticleFiltre) { site { name } }", None),
    Attack("schema leaking error: an unknown enum value", "{ articles(orderBy: PUBLISHED_AT) { totalCount } }", None),
    Attack(
        "schema leaking error: an unknown enum value in a variable",
        "query ($o: ArticleOrder) { articles(orderBy: $o) { totalCount } }",
        None,
        {"o": "PUBLISHED_AT"},
    ),
    Attack(
        "schema leaking error: an unknown input field in a variable",
        "query ($f: ArticleFilter) { articles(filter: $f) { totalCount } }",
        None,
        {"f": {"categorySlag": "a"}},
    ),
]  # fmt: skip

ARMOR: Final = [
    Attack(
        "max aliases", "{ site { " + _many(100, lambda i: f"a{i}: name") + " } }", "TOO_MANY_ALIASES"
    ),
    Attack(
        "max aliases, through fragments",
        "{ site { ...A ...A ...A } } fragment A on Site { "
        + _many(20, lambda i: f"a{i}: name")
        + " }",
        "TOO_MANY_ALIASES",
    ),
    Attack(
        "max depth, through fragments",
        '{ category(slug: "a") { ...A } } fragment A on Category { '
        + _nested(8, "parent { ", "...B")
        + " } fragment B on Category { "
        + _nested(8, "parent { ", "name")
        + " }",
        "TOO_DEEP",
    ),
    Attack("max directives", "{ site { name " + "@include(if: true) " * 200 + "} }", "TOO_MANY_DIRECTIVES"),
    Attack(
        "max directives, all over",
        "{ site { " + _many(60, lambda i: f"a{i}: name @skip(if: false)") + " } }",
        "TOO_MANY_ALIASES",
    ),
    Attack("max tokens", "{ " + "a " * 49_000 + "}", "TOO_MANY_TOKENS"),
    Attack("max tokens, comments", "#\n" * 40_000 + "{ site { name } }", "TOO_MANY_TOKENS"),
    Attack("cost limit", "{ " + LIST + "teaser body { html text wordCount } categories { articleCount articles { totalCount } }"
        " authors { articles { totalCount } } } } }", "COST_EXCEEDED"),
    Attack("block field suggestions", "{ site { nam } }", None),
    Attack("character limit", "{ site { name } } #" + "a" * 100_000, "DOCUMENT_TOO_LARGE"),
]  # fmt: skip

OTHERS: Final = [
    Attack("circular fragments", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", None),
    Attack("a fragment that spreads itself", "{ ...A } fragment A on Query { site { name } ...A }", None),
    Attack(
        "exponential fragments",
        "{ ...F0 } "
        + _many(40, lambda i: f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}")
        + " fragment F40 on Query { site { name } }",
        "TOO_MANY_ROOT_FIELDS",
    ),
    Attack(
        "exponential fragments below the root",
        "{ site { ...F0 } } "
        + _many(40, lambda i: f"fragment F{i} on Site {{ ...F{i + 1} ... {{ ...F{i + 1} }} }}")
        + " fragment F40 on Site { name }",
        "TOO_MANY_REPETITIONS",
    ),
    Attack(
        "many fragments",
        "{ site { name } } " + _many(100, lambda i: f"fragment F{i} on Site {{ name }}"),
        "TOO_MANY_FRAGMENTS",
    ),
    Attack("field duplication", "{ site { " + "name " * 1_000 + "} }", "TOO_MANY_REPETITIONS"),
    Attack(
        "field duplication, in inline fragments",
        "{ recentPosts { nodes { " + "... on Article { title } " * 300 + "} } }",
        "TOO_MANY_REPETITIONS",
    ),
    Attack(
        "field duplication, of objects",
        "{ category(slug: \"a\") { " + "parent { name } " * 300 + "} }",
        "TOO_MANY_REPETITIONS",
    ),
    Attack("directive overloading, unknown directives", "{ site { name " + "@aa" * 900 + " } }", "TOO_MANY_DIRECTIVES"),
    Attack("a flood of unknown fields", "{ site { " + _many(1_500, lambda i: f"x{i}") + " } }", "TOO_MANY_SELECTIONS"),
    Attack("a flood of arguments", "{ articles(" + "first: 1 " * 500 + ") { totalCount } }", "TOO_MANY_ARGUMENTS"),
    Attack(
        "a flood of input fields",
        "{ articles(filter: { " + "author: 1 " * 500 + "}) { totalCount } }",
        "TOO_MANY_ARGUMENTS",
    ),
    Attack("a flood of variables", "query (" + _many(400, lambda i: f"$v{i}: Int") + ") { site { name } }", "TOO_MANY_ARGUMENTS"),
    Attack("a long list", "{ nodes(ids: [" + "1 " * 1_500 + "]) { id } }", "LIST_TOO_LONG"),
    Attack("a deep list", "{ nodes(ids: " + "[" * 900 + "]" * 900 + ") { id } }", "TOO_MANY_TOKENS"),
    Attack("a deep list within the tokens", "{ nodes(ids: " + "[" * 500 + "]" * 500 + ") { id } }", None),
    Attack("a deep document", "{ " + _nested(600, "a { ", "b") + " }", None),
    Attack("a huge integer", "{ articles(first: " + "9" * 50_000 + ") { totalCount } }", "NUMBER_TOO_LONG"),
    Attack("a huge float", "{ articles(first: 1." + "9" * 50_000 + ") { totalCount } }", "NUMBER_TOO_LONG"),
    Attack("a huge exponent", "{ articles(first: 1e999999999) { totalCount } }", None),
    Attack("a huge name", "{ site { " + "n" * 90_000 + " } }", "NAME_TOO_LONG"),
    Attack(
        "a huge integer in the variables",
        "query ($n: Int) { articles(first: $n) { totalCount } }",
        "NUMBER_TOO_LONG",
        {"n": 10**4_000},
    ),
    Attack(
        "deep variables",
        "query ($f: ArticleFilter) { articles(filter: $f) { totalCount } }",
        "VARIABLES_TOO_DEEP",
        {"f": json.loads('{"a":' * 40 + "1" + "}" * 40)},
    ),
    Attack(
        "a flood of variables' values",
        "query ($f: ArticleFilter) { articles(filter: $f) { totalCount } }",
        "TOO_MANY_VALUES",
        {"f": {f"x{i}": i for i in range(5_000)}},
    ),
    Attack("hidden character: NUL", "{ site { na\0me } }", "HIDDEN_CHARACTER"),
    Attack("hidden character: NUL in a string", '{ article(slug: "a\0") { title } }', "HIDDEN_CHARACTER"),
    Attack("hidden character: right-to-left override", "{ site { name } } # \u202e } eman {", "HIDDEN_CHARACTER"),
    Attack("hidden character: zero width space", "{ site {\u200b name } }", "HIDDEN_CHARACTER"),
    Attack("hidden character: byte order mark within", "{ site { \ufeffname } }", "HIDDEN_CHARACTER"),
]  # fmt: skip

EVERY: Final = [*OWASP, *ARMOR, *OTHERS]
