"""One rule for what an absent field, null and an empty value mean in an input (decision 0043).

Null means what it means in results: only a value that can be null in a result can be set to null. A field declares
its kind here; its description and the check follow from that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NewType, TypeVar

import strawberry
from graphql import GraphQLInputField, GraphQLInputObjectType, GraphQLNonNull, GraphQLSchema
from msgspec import UNSET, UnsetType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.graphql.schema_error import SchemaError

T = TypeVar("T")

_RULE: Final = "ledgerpress-null-rule"
"""The key of a field's rule in its metadata."""
_LEAVES: Final = (str, int, float, bool)
_MAX_CLASSES: Final = 1_000
"""How many classes of values are remembered: those of all inputs, and of the values in them."""


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


@dataclass(frozen=True, slots=True)
class _CheckedField:
    """A field of an input that has a rule to check, or that may contain inputs."""

    field: StrawberryField
    name: str
    place: str
    rule: object
    contains_inputs: bool


def check_input(value: object, path: tuple[str, ...] = ()) -> None:
    """Raise `Rejection` if a field of an input, or of an input in it, breaks the rule of its kind."""
    if isinstance(value, list):
        for item in value:
            check_input(item, path)
        return
    for checked in _checked_fields(type(value)):  # type: ignore[arg-type]  # mypy sees the hash of an instance
        content = getattr(value, checked.name)
        if content is None and checked.rule is NullRule.KEPT:
            replacement = "[] for none" if _is_list(checked.field) else "a value"
            message = (
                f"The {_words(checked.field)} cannot be null: send {replacement}, or leave the field out."
            )
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=(*path, checked.place))
        if content is strawberry.UNSET and checked.rule is NullRule.STATED:
            message = f"Give a {_words(checked.field)}, or null for none."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=(*path, checked.place))
        if checked.contains_inputs:
            check_input(content, (*path, checked.place))


@lru_cache(maxsize=_MAX_CLASSES)
def _checked_fields(class_: type) -> tuple[_CheckedField, ...]:
    definition = getattr(class_, "__strawberry_definition__", None)
    if not isinstance(definition, StrawberryObjectDefinition):  # an enum has a definition without fields
        return ()
    fields = (
        _CheckedField(
            field,
            field.python_name,
            to_camel_case(field.python_name),
            field.metadata.get(_RULE),
            _may_contain_inputs(field.type),
        )
        for field in definition.fields
    )
    return tuple(
        field for field in fields if field.contains_inputs or field.rule in (NullRule.KEPT, NullRule.STATED)
    )


def _may_contain_inputs(type_: object) -> bool:
    while (inner := getattr(type_, "of_type", None)) is not None:
        type_ = inner
    return type_ not in _LEAVES and not isinstance(type_, NewType | StrawberryEnumDefinition)


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
