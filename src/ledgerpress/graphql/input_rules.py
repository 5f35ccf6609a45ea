"""One rule for what an absent field, null and an empty value mean in an input (decision 0043).

Null means what it means in results: only a value that can be null in a result can be set to null. A field declares
its kind here; its description and the check follow from that.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, TypeVar

import strawberry
from graphql import GraphQLInputField, GraphQLInputObjectType, GraphQLNonNull, GraphQLSchema
from msgspec import UNSET, UnsetType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.graphql.schema_error import SchemaError

T = TypeVar("T")

_RULE: Final = "ledgerpress-null-rule"
"""The key of a field's rule in its metadata."""


class NullRule(Enum):
    """The kinds of nullable input fields. The value ends the field's description in the schema."""

    OPTIONAL = "Null: as if absent."
    KEPT = "Absent: unchanged. Null: rejected."
    DERIVED = "Absent: unchanged. Null: derived again."
    CLEARABLE = "Absent: unchanged. Null or empty: cleared."
    STATED = "Absent: rejected."


def kept_field(description: str | None = None) -> Any:
    """Declare a new value for something that always has a value, such as a title. A list is emptied with `[]`."""
    return _field(NullRule.KEPT, description)


def derived_field(description: str | None = None) -> Any:
    """Declare a new value for something that has a derived value unless the client states one, such as a slug."""
    return _field(NullRule.DERIVED, description)


def clearable_field(description: str | None = None) -> Any:
    """Declare a new value for something that may have no value, such as a teaser."""
    return _field(NullRule.CLEARABLE, description)


def stated_field(description: str) -> Any:
    """Declare the only change of a mutation. The description states what null means."""
    return _field(NullRule.STATED, description)


def _field(rule: NullRule, description: str | None) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={_RULE: rule})


def given_value(value: T | None) -> T | UnsetType:
    """Return the value of a `kept_field`, `UNSET` if it is absent."""
    if value is strawberry.UNSET:
        return UNSET
    if value is None:
        raise LookupError("a null was not rejected: declare the field with `kept_field`")
    return value


def given_value_or_null(value: T) -> T | UnsetType:
    """Return the value of a `clearable_field` or a `derived_field`, `UNSET` if it is absent."""
    return UNSET if value is strawberry.UNSET else value


def check_input(value: object, path: tuple[str, ...] = ()) -> None:
    """Raise `Rejection` if a field of an input, or of an input in it, breaks the rule of its kind."""
    if isinstance(value, list):
        for item in value:
            check_input(item, path)
    definition = getattr(type(value), "__strawberry_definition__", None)
    if not isinstance(definition, StrawberryObjectDefinition):  # an enum has a definition without fields
        return
    for field in definition.fields:
        content = getattr(value, field.python_name)
        place = (*path, to_camel_case(field.python_name))
        rule = field.metadata.get(_RULE)
        if content is None and rule is NullRule.KEPT:
            replacement = "[] for none" if _is_list(field) else "a value"
            message = f"The {_words(field)} cannot be null: send {replacement}, or leave the field out."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=place)
        if content is strawberry.UNSET and rule is NullRule.STATED:
            message = f"Give a {_words(field)}, or null for none."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=place)
        check_input(content, place)


def _words(field: StrawberryField) -> str:
    return field.python_name.replace("_", " ")


def _is_list(field: StrawberryField) -> bool:
    return hasattr(getattr(field.type, "of_type", None), "of_type")


def describe_input_rules(schema: GraphQLSchema) -> None:
    """Add to the description of each nullable input field what null means. Raises `SchemaError` if that is undeclared."""
    for type_, name, field in _nullable_fields(schema):
        declaration = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(declaration, StrawberryField):
            continue
        rule = declaration.metadata.get(_RULE)
        if rule is None and declaration.default is None:
            rule = NullRule.OPTIONAL
        if not isinstance(rule, NullRule):
            raise SchemaError(
                f"{type_.name}.{name} does not declare what null means.",
                todo="use kept_field or clearable_field, the default None, or a type that is not nullable.",
            )
        field.description = " ".join(filter(None, (field.description, rule.value)))


def _nullable_fields(
    schema: GraphQLSchema,
) -> Iterator[tuple[GraphQLInputObjectType, str, GraphQLInputField]]:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType) and not type_.is_one_of:
            for name, field in type_.fields.items():
                if not isinstance(field.type, GraphQLNonNull):
                    yield type_, name, field
