"""The cost of operations: compared with costs by hand, and with the rules of IBM's specification."""

from typing import Any

import pytest
from graphql import (
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
)

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql import cost_directives
from ledgerpress.graphql.documents import Documents, RequestError
from ledgerpress.graphql.limits.settings import Limits

SCHEMA = graphql_schema()._schema
DECLARED = graphql_schema().declarations
DOCUMENTS = Documents(SCHEMA, Limits(field_cost=1e9, type_cost=1e9))


def cost(query: str, **variables: Any) -> tuple[float, float]:
    """Return the field cost and the type cost."""
    admitted = DOCUMENTS.operation(query, None).admit(variables)
    return admitted.field, admitted.type


@pytest.mark.parametrize(
    ("query", "field", "type"),
    [
        ("{ site { name } }", 1, 2),
        ("{ __typename }", 0, 1),
        # articles, then nodes once and each article's body and html: 1 + 1 + 10 × (1 + 5)
        ("{ articles(first: 10) { nodes { body { html } } } }", 1 + 1 + 10 * (1 + 5), 1 + 1 + 10 * (1 + 1)),
        # no declared size: 20
        ("{ articles { edges { node { title } } } }", 1 + 1 + 20 * 1, 1 + 1 + 20 * 2),
        # the default value in the schema: 6
        ("{ recentPosts { nodes { title } totalCount } }", 1 + 1 + 2, 1 + 1 + 6),
        ("{ articles(first: 0) { nodes { title } } }", 2, 2),
        ("{ articles(first: -5) { nodes { title } } }", 2, 2),
        # both lists of a connection have this size
        ("{ articles(first: 3) { nodes { title } edges { cursor } } }", 3, 1 + 1 + 3 + 3),
        # an argument that is an object counts 1
        ("{ articles(first: 1, filter: { author: \"x\" }) { nodes { id } } }", 3, 3),
        # a list with a declared size, within a page
        ("{ articles(first: 2) { nodes { categories { name } } } }", 2 + 2 * 1, 1 + 1 + 2 * (1 + 5)),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 1, 1 + 3),
        # a plain list, not a connection
        ('{ article(slug: "x") { related(first: 3) { teaser } } }', 1 + 10 + 3, 1 + 1 + 3),
        ('{ article(slug: "x") { related { title } next { title } } }', 1 + 10 + 5, 1 + 1 + 4 + 1),
        ("{ a: site { name } ...F ... { c: site { name } } } fragment F on Query { b: site { name } }", 3, 4),
        # through a fragment on the connection itself
        ("{ articles(first: 7) { ...F } } fragment F on ArticleConnection { nodes { teaser } }", 2 + 7, 1 + 1 + 7),
        # the most expensive type of an interface
        ('{ node(id: "x") { id ... on Post { blame { text } } } }', 1 + 100, 1 + 1 + 100),
        ("{ site @skip(if: true) { name } }", 0, 1),
        ("{ ... @include(if: false) { site { name } } }", 0, 1),
        ('mutation { siteName(input: { name: "x" }) { userErrors { code } } }', 10 + 1 + 1, 1 + 1 + 3),
    ],
)  # fmt: skip
def test_the_cost_of_a_document(query: str, field: float, type: float) -> None:
    assert cost(query) == (field, type)


def test_variables_are_taken_into_account() -> None:
    query = "query ($n: Int = 4, $more: Boolean = false) { articles(first: $n) { nodes { teaser } } site @include(if: $more) { name } }"
    assert cost(query) == (2 + 4, 1 + 1 + 4)
    assert cost(query, n=50) == (2 + 50, 1 + 1 + 50)
    assert cost(query, n=None) == (2 + 20, 1 + 1 + 20)
    assert cost(query, n="many") == (2 + 20, 1 + 1 + 20), "coercion rejects the value"
    assert cost(query, n=1, more=True) == (2 + 1 + 1, 1 + 1 + 1 + 1)
    assert cost("query ($i: [ID!]!) { nodes(ids: $i) { id } }", i=["a"] * 9) == (1, 1 + 9)


def test_a_fragment_counts_each_time_it_is_spread() -> None:
    query = (
        "query ($n: Int) { one: articles(first: $n) { ...C } two: articles(first: 2) { ...C } }"
        " fragment C on ArticleConnection { nodes { ...A } } fragment A on Article { teaser body { text } }"
    )
    each = 1 + 1 + 5
    assert cost(query, n=3) == (2 + 2 + 5 * each, 1 + 2 + 5 * 2)


def test_a_page_that_is_too_large_is_rejected() -> None:
    documents = Documents(SCHEMA, Limits(page_size=10))
    text = "query A { articles(first: 11) { totalCount } } query B($n: Int) { articles(last: $n) { totalCount } }"
    for name, variables in (("A", {}), ("B", {"n": 11})):
        with pytest.raises(RequestError) as caught:
            documents.operation(text, name).admit(variables)
        (error,) = caught.value.errors
        assert error.extensions == {"code": "PAGE_TOO_LARGE", "limit": 10, "found": 11}
    assert documents.operation(text, "B").admit({"n": 10}).field == 3


def test_every_declaration_of_costs_names_a_field_of_the_schema() -> None:
    for coordinate in (*DECLARED.weights, *DECLARED.sizes, *DECLARED.list_arguments):
        type_name, _, field = coordinate.partition(".")
        if type_name == "*":
            objects = [type_ for type_ in SCHEMA.type_map.values() if isinstance(type_, GraphQLObjectType)]
            assert any(field in type_.fields for type_ in objects), coordinate
            continue
        named = SCHEMA.type_map[type_name]
        assert isinstance(named, GraphQLObjectType)
        assert field in named.fields, coordinate


def test_the_directives_follow_the_specification() -> None:
    count = 0
    for named in SCHEMA.type_map.values():
        if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType) or named.name.startswith("__"):
            continue
        for name, field in named.fields.items():
            size = cost_directives.size_of(field)
            if isinstance(named, GraphQLInterfaceType):
                assert size is None
                continue
            returned = get_named_type(field.type)
            is_list = isinstance(get_nullable_type(field.type), GraphQLList)
            if is_list and isinstance(returned, GraphQLObjectType | GraphQLInterfaceType):
                assert size or name in cost_directives.sized_fields_of(named), (
                    f"{named.name}.{name} has no size"
                )
            if size is None:
                continue
            count += 1
            sized = size.sized_fields or ()
            assert is_list or sized  # 9.2.1
            for sized_field in sized:  # 9.2.2
                assert isinstance(returned, GraphQLObjectType)
                assert isinstance(get_nullable_type(returned.fields[sized_field].type), GraphQLList)
            for argument in size.slicing_arguments or ():  # 9.2.3, except for arguments that are lists
                if f"{named.name}.{name}" not in DECLARED.list_arguments:
                    assert get_named_type(field.args[argument].type) is GraphQLInt
            if isinstance(size.assumed_size, int) and size.slicing_arguments:  # 9.2.4
                assert size.require_one_slicing_argument is False
                assert all(
                    not isinstance(field.args[argument].default_value, int)
                    for argument in size.slicing_arguments
                )
    assert count > 30
