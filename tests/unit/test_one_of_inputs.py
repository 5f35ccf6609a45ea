"""An invalid value of a `@oneOf` input is a request error, wherever the schema has such an input."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from graphql import (
    ExecutionResult,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    OperationDefinitionNode,
    execute,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_input_field,
    parse,
)
from graphql.execution.values import VariableValues, get_variable_values

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.documents import VALIDATION_FAILED, Documents, RequestError

SCHEMA: Final = graphql_schema()._schema
ONE_OF: Final = {
    type_.name: type_
    for type_ in SCHEMA.type_map.values()
    if isinstance(type_, GraphQLInputObjectType) and type_.is_one_of
}
VALUES: Final[dict[str, Any]] = {
    "Position": 1, "DateTime": "2024-12-22T09:00:00Z", "ID": "a", "String": "a", "Int": 1, "Boolean": True,
}  # fmt: skip
PLACES: Final = {"BulkCommand": 2, "MenuTarget": 1}
"""The least number of places of the inputs that have few."""


def _value(type_: Any) -> Any:
    """Return a valid value of an input type."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        return {name: _value(field.type) for name, field in _needed_fields(named)}
    return next(iter(named.values)) if isinstance(named, GraphQLEnumType) else VALUES[named.name]


def _literal(type_: Any) -> str:
    """Return the same value as a literal of a document."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        fields = (f"{name}: {_literal(field.type)}" for name, field in _needed_fields(named))
        return f"{{{', '.join(fields)}}}"
    value = _value(named)
    return str(value) if isinstance(named, GraphQLEnumType) else json.dumps(value)


def _needed_fields(type_: GraphQLInputObjectType) -> list[tuple[str, GraphQLInputField]]:
    """Return the fields that a value needs: those that are required, or the first one of a choice."""
    fields = list(type_.fields.items())
    return fields[:1] if type_.is_one_of else [item for item in fields if is_required_input_field(item[1])]


def _within(type_: Any, value: str) -> Iterator[str]:
    """Yield literals of the type of an argument in which `value` is the literal of each `@oneOf` input."""
    named = get_named_type(type_)
    if named.name in ONE_OF:
        yield value
        if isinstance(get_nullable_type(type_), GraphQLList):
            yield f"[{value}]"
    elif isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            for inner in _within(field.type, value):
                yield f"{{{name}: {inner}}}"


def _places(value: str, one_of: str) -> Iterator[tuple[str, str]]:
    """Yield a type and a selection for each place in the schema with `value` as an input of the type `one_of`."""
    for type_ in SCHEMA.type_map.values():
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) or type_.name.startswith("__"):
            continue
        for name, field in type_.fields.items():
            inner = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
            for argument_name, argument in field.args.items():
                if one_of in _one_ofs(argument):
                    for literal in _within(argument.type, value):
                        yield type_.name, f"{name}({argument_name}: {literal}){inner}"


def _one_ofs(argument: GraphQLArgument) -> set[str]:
    names, waiting = set(), [get_named_type(argument.type)]
    while waiting:
        type_ = waiting.pop()
        if type_.name in ONE_OF:
            names.add(type_.name)
        elif isinstance(type_, GraphQLInputObjectType):
            waiting += [get_named_type(field.type) for field in type_.fields.values()]
    return names


def _errors(document: str) -> list[dict[str, Any]]:
    try:
        Documents(SCHEMA).operation(document, None)
    except RequestError as error:
        return [dict(invalid.formatted) for invalid in error.errors]
    return []


def test_the_schema_has_these_one_of_inputs() -> None:
    assert ONE_OF.keys() == {"AsOf", "BulkCommand", "CategoryBy", "MenuTarget"}, (
        "extend the tables of this module"
    )
    for type_ in ONE_OF.values():
        assert None not in [_value(field.type) for field in type_.fields.values()]


@pytest.mark.parametrize("one_of", ONE_OF)
def test_an_invalid_literal_is_rejected_by_validation_at_every_place(one_of: str) -> None:
    (first, first_field), (second, second_field), *_ = ONE_OF[one_of].fields.items()
    a, b = (_literal(field.type) for field in (first_field, second_field))
    invalid = (
        "{}",
        f"{{{first}: null}}",
        f"{{{second}: null}}",
        f"{{{first}: {a}, {second}: {b}}}",
        f"{{{first}: {a}, {second}: null}}",
        f"{{{first}: null, {second}: null}}",
    )
    count = 0
    for value in invalid:
        for type_name, selection in _places(value, one_of):
            errors = _errors(f"{{ __typename }} fragment F on {type_name} {{ {selection} }}")
            about = [error for error in errors if "OneOf Input Object" in error["message"]]
            assert about, (selection, errors)
            assert all(error["extensions"]["code"] == VALIDATION_FAILED for error in about)
            assert all(error["locations"] for error in about), "the place is known"
            count += 1
    assert count >= PLACES.get(one_of, 6) * len(invalid)


@pytest.mark.parametrize("one_of", ONE_OF)
@pytest.mark.parametrize("with_default", [False, True])
def test_a_variable_that_may_be_null_is_rejected_in_a_field_at_every_place(
    one_of: str, with_default: bool
) -> None:
    count = 0
    for name, field in ONE_OF[one_of].fields.items():
        type_ = get_named_type(field.type).name
        default = f" = {_literal(field.type)}" if with_default else ""
        for parent, selection in _places(f"{{{name}: $value}}", one_of):
            operation = "mutation" if parent == "Mutation" else "query"
            body, fragment = (
                (selection, "")
                if parent in {"Mutation", "Query"}
                else ("...F", f" fragment F on {parent} {{ {selection} }}")
            )
            document = f"{operation} ($value: {type_}{default}) {{ {body} }}{fragment}"
            about = [error for error in _errors(document) if "OneOf" in error["message"]]
            assert len(about) == 1, (document, _errors(document))
            assert "$value" in about[0]["message"]
            assert len(about[0]["locations"]) == 2, "the definition and the use"
            valid = document.replace(f"$value: {type_}", f"$value: {type_}!")
            assert not [error for error in _errors(valid) if "OneOf" in error["message"]], valid
            count += 1
    assert count >= 4


@pytest.mark.parametrize("one_of", ONE_OF)
@pytest.mark.parametrize("form", ["{}", "{}!", "[{}]", "[{}!]!"])
def test_an_invalid_variable_is_rejected_before_execution(one_of: str, form: str) -> None:
    (first, first_field), (second, second_field), *_ = ONE_OF[one_of].fields.items()
    a, b = (_value(field.type) for field in (first_field, second_field))
    (operation,) = parse(f"query ($value: {form.format(one_of)}) {{ __typename }}").definitions
    assert isinstance(operation, OperationDefinitionNode)

    def coerced(value: Any) -> VariableValues | list[GraphQLError]:
        sent = [value] if form.startswith("[") else value
        return get_variable_values(SCHEMA, operation.variable_definitions or (), {"value": sent})

    assert isinstance(coerced({first: a}), VariableValues)
    for invalid in ({}, {first: None}, {first: a, second: b}, {first: a, second: None}, {second: None}):
        errors = coerced(invalid)
        assert isinstance(errors, list), invalid
        assert all("$value" in error.message and "OneOf" in error.message for error in errors)


@pytest.mark.parametrize(
    "variables", [{"moment": {}}, {"moment": {"position": None}}, {"moment": {"time": 7}}]
)
def test_the_compiled_executor_and_graphql_core_report_the_same_errors(variables: dict[str, Any]) -> None:
    document = "query ($moment: AsOf) { site(asOf: $moment) { name } }"
    operation = Documents(SCHEMA).operation(document, None)
    compiled = execute_compiled(operation, variables, None)
    expected = execute(SCHEMA, operation.document, variable_values=variables)
    assert isinstance(expected, ExecutionResult)
    assert isinstance(compiled, ExecutionResult)
    assert compiled.data is expected.data is None
    assert [error.formatted for error in compiled.errors or ()] == [
        error.formatted for error in expected.errors or ()
    ]
