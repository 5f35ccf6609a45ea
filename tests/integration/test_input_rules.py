"""Absent, null and empty mean the same in every input of a mutation (docs/reference/inputs.md).

The inputs are found in the schema. A new mutation fails these tests until `_valid_inputs` has an input for it.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
import strawberry
from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    get_nullable_type,
)
from msgspec import UNSET

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.registry import graphql_schema
from ledgerpress.features.tokens.commands import CreateToken
from ledgerpress.graphql.input_rules import (
    NullRule,
    check_input,
    describe_input_rules,
    given_value,
    given_value_or_null,
    kept_field,
    stated_field,
)
from ledgerpress.graphql.schema_error import SchemaError
from tests.integration.graphql_client import Client

SCHEMA: Final = graphql_schema()._schema
MUTATIONS: Final = sorted(SCHEMA.mutation_type.fields.keys() - {"bulk"}) if SCHEMA.mutation_type else []
"""All mutations except `bulk`, whose commands have the inputs of the others (test_bulk.py)."""
PROSE: Final = frozenset({"teaser", "body", "description", "reason", "correction", "passage", "address"})
"""Text whose empty value is allowed: it is the same as null, or, in a body, an empty body."""


def _type_of(mutation: str) -> GraphQLInputObjectType:
    mutations = SCHEMA.mutation_type
    assert isinstance(mutations, GraphQLObjectType)
    arguments = mutations.fields[mutation].args
    assert arguments.keys() == {"input"}, "each mutation has one input"
    type_ = get_named_type(arguments["input"].type)
    assert isinstance(type_, GraphQLInputObjectType)
    return type_


def _rule(field: GraphQLInputField) -> NullRule | None:
    """Return the rule that the schema documents for a field, `None` if the field is not nullable."""
    if isinstance(field.type, GraphQLNonNull):
        return None
    (rule,) = [rule for rule in NullRule if (field.description or "").endswith(rule.value)]
    return rule


def _fields(mutation: str, *rules: NullRule | None) -> Iterator[tuple[str, GraphQLInputField]]:
    for name, field in _type_of(mutation).fields.items():
        if _rule(field) in rules:
            yield name, field


@pytest.fixture
async def inputs(api: Client) -> dict[str, dict[str, Any]]:
    """A valid input of each mutation, with a value for each field that states an effect."""
    post = await api.write("A post", body="Text.", teaser="Short.")
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    token = (await api.do("tokenCreate", "token { id }", name="Feed", role="EDITOR"))["token"]["id"]
    news, sport, old = [
        (await api.do("categoryCreate", "category { slug }", name=name))["category"]["slug"]
        for name in ("News", "Sport", "Old")
    ]
    public = {"id": (await api.write("A public post", publish=True))["id"]}
    added = await api.do("correctionAdd", "correction { id }", **public, note="Wrong.")
    correction = {**public, "correction": added["correction"]["id"]}
    by_id = {"id": post["id"]}
    page = (await api.do("pageCreate", "pageDraft { id }", title="A page", body="Text."))["pageDraft"]["id"]
    return {
        "authorRegister": {"name": "Bob"},
        "authorRename": {"id": author, "name": "Ada B.", "slug": "a-b"},
        "categoryCreate": {"name": "Weather"},
        "categoryDelete": {"category": {"slug": old}},
        "categoryDescribe": {"category": {"slug": news}, "description": "All news."},
        "categoryMerge": {"category": {"slug": sport}, "into": {"slug": news}},
        "categoryMove": {"category": {"slug": sport}, "parent": {"slug": news}},
        "categoryRename": {"category": {"slug": news}, "name": "The news", "slug": "the-news"},
        "categoryUnmerge": {"category": {"slug": sport}},
        "correctionAdd": {**public, "note": "Unclear."},
        "correctionRetract": correction,
        "correctionReword": {
            **correction,
            "kind": "UPDATE",
            "note": "Reworded.",
            "passage": "A public post",
        },
        "menuArrange": {"items": [{"label": "Home", "target": {"address": "/"}}]},
        "pageCreate": {"title": "Another page"},
        "pageEdit": {"id": page, "title": "New", "body": "New.", "slug": "new"},
        "pagePublish": {"id": page},
        "pageUnpublish": {"id": page},
        "postArchive": by_id,
        "postCategorize": {**by_id, "category": {"slug": news}},
        "postCreate": {"title": "Another post"},
        "postEdit": {
            **by_id,
            "title": "New",
            "teaser": "New.",
            "body": "New.",
            "slug": "new",
            "authors": [author],
        },
        "postPublish": by_id,
        "postRestore": {**by_id, "toVersion": 1},
        "postRevert": {**by_id, "version": 1},
        "postUnarchive": by_id,
        "postUncategorize": {**by_id, "category": {"slug": news}},
        "postUnpublish": by_id,
        "siteDescribe": {
            "description": "All news.",
            "logo": {"url": "/logo.svg", "alternativeText": "A harbour"},
            "address": "1 Mole Street",
        },
        "siteLocalize": {"language": "pt-BR", "timeZone": "America/Sao_Paulo"},
        "siteName": {"name": "The Harbour"},
        "tokenCreate": {"name": "Wire", "role": "EDITOR"},
        "tokenRevoke": {"id": token},
    }


class Commands:
    """The commands that mutations build. They are not executed."""

    def __init__(self) -> None:
        self.built: list[tuple[Any, CommandRequest]] = []

    async def handle(self, command: Any, request: CommandRequest) -> None:
        """Keep a command, without its random parts, and reject it."""
        if isinstance(command, CreateToken):
            command = replace(command, secret_hash="")
        self.built.append((command, replace(request, correlation_id="", causation_id=None, trace_id=None)))
        raise Rejection(ErrorCode.NOT_FOUND, "Only built.")


@pytest.fixture
def commands(api: Client, inputs: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Commands:
    assert inputs.keys() == set(MUTATIONS), "each mutation needs a valid input here"
    built = Commands()
    monkeypatch.setattr(type(api.store.commands), "handle", lambda _, *arguments: built.handle(*arguments))
    return built


async def _sent(api: Client, mutation: str, input: dict[str, Any]) -> dict[str, Any]:
    query = (
        f"mutation ($input: {_type_of(mutation).name}!) {{ {mutation}(input: $input)"
        " { position userErrors { code field message } } }"
    )
    body: dict[str, Any] = (await api.post(query, input=input)).json()
    return body


async def _user_error(api: Client, mutation: str, input: dict[str, Any]) -> dict[str, Any]:
    body = await _sent(api, mutation, input)
    assert "errors" not in body, (mutation, input, body)
    (error,) = body["data"][mutation]["userErrors"]
    assert isinstance(error, dict)
    return error


async def _command(api: Client, commands: Commands, mutation: str, input: dict[str, Any]) -> Any:
    commands.built.clear()
    error = await _user_error(api, mutation, input)
    assert error["message"] == "Only built.", (mutation, input, error)
    (command,) = commands.built
    return command


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_what_is_not_nullable_rejects_null_in_the_request(
    api: Client, inputs: dict[str, dict[str, Any]], commands: Commands, mutation: str
) -> None:
    valid = inputs[mutation]
    for name, field in _fields(mutation, None):
        body = await _sent(api, mutation, {**valid, name: None})
        assert "data" not in body, name
        assert body["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
        without = {key: value for key, value in valid.items() if key != name}
        if field.default_value is Undefined and field.default is None:
            body = await _sent(api, mutation, without)
            assert "data" not in body, name
        else:
            await _command(api, commands, mutation, without)
        if isinstance(get_nullable_type(field.type), GraphQLList):
            body = await _sent(api, mutation, {**valid, name: [None]})
            assert "data" not in body, "no entry of a list is null"


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_null_in_an_optional_field_is_as_if_absent(
    api: Client, inputs: dict[str, dict[str, Any]], commands: Commands, mutation: str
) -> None:
    valid = inputs[mutation]
    absent = await _command(api, commands, mutation, valid)
    names = [name for name, _ in _fields(mutation, NullRule.OPTIONAL)]
    assert {"idempotencyKey", "reason", "expectedVersion"} <= set(names)
    for name in names:
        assert name not in valid
        assert await _command(api, commands, mutation, {**valid, name: None}) == absent, name
    everything = {**valid, **dict.fromkeys(names)}
    assert await _command(api, commands, mutation, everything) == absent


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_null_has_the_effect_that_the_schema_describes(
    api: Client, inputs: dict[str, dict[str, Any]], commands: Commands, mutation: str
) -> None:
    valid = inputs[mutation]
    complete = await _command(api, commands, mutation, valid)
    rules = (NullRule.KEPT, NullRule.DERIVED, NullRule.CLEARABLE, NullRule.STATED)
    for name, field in _fields(mutation, *rules):
        rule, with_null = _rule(field), {**valid, name: None}
        absent = {key: value for key, value in valid.items() if key != name}
        assert name in valid, "the valid input has each such field"
        if rule is NullRule.KEPT:
            error = await _user_error(api, mutation, with_null)
            assert (error["code"], error["field"]) == ("INVALID_VALUE", ["input", name])
            assert "cannot be null" in error["message"]
        else:
            assert await _command(api, commands, mutation, with_null) != complete
        if rule is NullRule.STATED:
            error = await _user_error(api, mutation, absent)
            assert (error["code"], error["field"]) == ("INVALID_VALUE", ["input", name])
        else:
            unchanged = await _command(api, commands, mutation, absent)
            assert unchanged != complete
            if rule is NullRule.CLEARABLE:
                assert unchanged != await _command(api, commands, mutation, with_null)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_empty_text_is_rejected_unless_it_is_prose(
    api: Client, inputs: dict[str, dict[str, Any]], mutation: str
) -> None:
    for name, field in _type_of(mutation).fields.items():
        if str(get_nullable_type(field.type)) not in {"String", "ID"}:
            continue
        body = await _sent(api, mutation, {**inputs[mutation], name: ""})
        assert "errors" not in body, (name, body)
        errors = body["data"][mutation]["userErrors"]
        if name in PROSE and str(get_nullable_type(field.type)) == "String":
            assert not any(name in (error["field"] or ()) for error in errors), name
        else:
            assert [error["field"] for error in errors] == [["input", name]], (name, errors)
            assert errors[0]["code"] in {"BLANK", "INVALID_ID", "SLUG_MALFORMED"}, errors


EMPTY_LISTS: Final = {
    "MenuArrangeInput.items": None,
    "PostCreateInput.authors": None,
    "PostCreateInput.categories": None,
    "PostEditInput.authors": None,
    "TokenCreateInput.scopes": "INVALID_VALUE",
}
"""The lists in inputs, with the code for an empty list, `None` if it is a value like others."""


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_an_empty_list_is_a_value_and_never_means_absent(
    api: Client, inputs: dict[str, dict[str, Any]], mutation: str
) -> None:
    type_ = _type_of(mutation)
    for name, field in type_.fields.items():
        if isinstance(get_nullable_type(field.type), GraphQLList):
            body = await _sent(api, mutation, {**inputs[mutation], name: []})
            errors = [(error["code"], error["field"]) for error in body["data"][mutation]["userErrors"]]
            code = EMPTY_LISTS[f"{type_.name}.{name}"]
            assert errors == ([(code, ["input", name])] if code else []), name


async def test_the_byline_is_cleared_by_an_empty_list_only(api: Client) -> None:
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await api.write("A post", authors=[author])
    fields = "post { version authors { name } }"
    rejected = await api.do("postEdit", fields, id=post["id"], title="New", authors=None)
    (error,) = rejected["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_VALUE", ["input", "authors"])
    assert error["message"] == "The authors cannot be null: send [] for none, or leave the field out."
    unchanged = await api.do("postEdit", fields, id=post["id"], title="New")
    assert unchanged["post"] == {"version": post["version"] + 1, "authors": [{"name": "Ada"}]}
    cleared = await api.do("postEdit", fields, id=post["id"], authors=[])
    assert cleared["post"]["authors"] == []


@pytest.mark.parametrize("nothing", [None, "", " \n"])
async def test_null_and_empty_text_clear_what_can_be_null_in_results(
    api: Client, nothing: str | None
) -> None:
    post = await api.write("A post", teaser="Short.", body="Text.")
    edited = await api.do("postEdit", "post { title teaser }", id=post["id"], teaser=nothing)
    assert edited["post"] == {"title": "A post", "teaser": None}
    news = {
        "slug": (await api.do("categoryCreate", "category { slug }", name="News", description="All."))[
            "category"
        ]["slug"]
    }
    described = await api.do(
        "categoryDescribe", "category { description }", category=news, description=nothing
    )
    assert described["category"] == {"description": None}


async def test_a_body_may_be_empty_and_a_title_may_not(api: Client) -> None:
    post = await api.write("A post", body="Text.")
    assert (await api.do("postEdit", "post { body { markdown } }", id=post["id"], body=""))["post"] == {
        "body": {"markdown": ""}
    }
    (error,) = (await api.do("postEdit", id=post["id"], title=""))["userErrors"]
    assert (error["code"], error["field"]) == ("BLANK", ["input", "title"])


async def test_a_category_moves_to_the_top_level_only_if_that_is_stated(api: Client) -> None:
    fields = "category { slug parent { slug } }"
    await api.do("categoryCreate", fields, name="News")
    await api.do("categoryCreate", fields, name="Local", parent={"slug": "news"})
    (error,) = (await api.do("categoryMove", fields, category={"slug": "local"}))["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_VALUE", ["input", "parent"])
    assert error["message"] == "Give a parent, or null for none."
    moved = await api.do("categoryMove", fields, category={"slug": "local"}, parent=None)
    assert moved["category"] == {"slug": "local", "parent": None}


async def test_an_empty_id_is_invalid_and_not_absent(api: Client) -> None:
    for mutation, input, path in (
        ("tokenCreate", {"name": "Feed", "role": "EDITOR", "actor": ""}, ["input", "actor"]),
        ("categoryDelete", {"category": {"id": ""}}, ["input", "category", "id"]),
        ("categoryCreate", {"name": "A", "parent": {"id": ""}}, ["input", "parent", "id"]),
        ("postCreate", {"title": "A", "authors": [""]}, ["input", "authors"]),
        ("postCreate", {"title": "A", "categories": [{"id": ""}]}, ["input", "categories", "id"]),
    ):
        (error,) = (await api.do(mutation, **input))["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID_ID", path), mutation


async def test_in_a_filter_null_is_as_if_absent_and_an_empty_list_matches_nothing(api: Client) -> None:
    await api.write("A post")
    query = "query ($filter: ChangeFilter) { changes(filter: $filter) { totalCount } }"
    everything = await api.ask(query)
    assert everything["changes"]["totalCount"] > 0
    names = SCHEMA.type_map["ChangeFilter"].fields  # type: ignore[attr-defined]
    for filter in (None, {}, dict.fromkeys(names)):
        assert await api.ask(query, filter=filter) == everything
    assert (await api.ask(query, filter={"types": []}))["changes"]["totalCount"] == 0


def test_every_nullable_field_of_an_input_documents_what_null_means() -> None:
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLInputObjectType) and not type_.is_one_of:
            for field in type_.fields.values():
                _rule(field)
                assert isinstance(field.type, GraphQLNonNull) or field.default_value in (None, Undefined)


@strawberry.input
class _Undeclared:
    text: str | None = strawberry.UNSET


@strawberry.input
class _Defaulted:
    text: str | None = "A"


@strawberry.input
class _Inner:
    text: str | None = kept_field("A text.")
    names: list[str] | None = kept_field()


@strawberry.input
class _Outer:
    inner: list[_Inner] = strawberry.field(default_factory=list)
    only_change: str | None = stated_field("The change. Null: none.")


@pytest.mark.parametrize("undeclared", [_Undeclared, _Defaulted])
def test_a_schema_with_an_undeclared_nullable_field_is_rejected(undeclared: type) -> None:
    def resolve(input: Any) -> str:
        return str(input)

    resolve.__annotations__["input"] = undeclared
    query = strawberry.type(type("Query", (), {"echo": strawberry.field(resolver=resolve)}))
    with pytest.raises(SchemaError, match="does not declare what null means"):
        describe_input_rules(strawberry.Schema(query)._schema)


def test_rules_of_inputs_in_lists_are_checked_too() -> None:
    check_input(_Outer(only_change=None, inner=[_Inner(text="a", names=[])]))
    for invalid, path in (
        (_Outer(), ("onlyChange",)),
        (_Outer(only_change="a", inner=[_Inner(), _Inner(text=None)]), ("inner", "text")),
        (_Outer(only_change="a", inner=[_Inner(names=None)]), ("inner", "names")),
    ):
        with pytest.raises(Rejection) as caught:
            check_input(invalid)
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_VALUE, path)


def test_a_value_that_was_not_checked_is_a_mistake_of_the_program() -> None:
    assert given_value("a") == "a"
    assert given_value(strawberry.UNSET) is UNSET
    assert given_value_or_null(None) is None
    assert given_value_or_null(strawberry.UNSET) is UNSET
    with pytest.raises(LookupError, match="kept_field"):
        given_value(None)
