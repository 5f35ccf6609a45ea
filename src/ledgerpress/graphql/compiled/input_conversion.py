"""Conversion of coerced arguments to the Python values that strawberry passes to resolvers.

Strawberry looks up the definitions of types and the names of fields for each value. Here, that is done once.
"""

from collections.abc import Callable, Iterable
from dataclasses import MISSING
from typing import Any, TypeAlias

import strawberry
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, _is_leaf_type
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.lazy_type import LazyType

Conversion: TypeAlias = Callable[[Any], Any]


class UnknownInput(Exception):
    """Only strawberry itself converts values of this type."""


def arguments_conversion(
    arguments: Iterable[StrawberryArgument], converter: GraphQLCoreConverter
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that converts the arguments of a field as strawberry does. Raises `UnknownInput`."""
    inputs = _Inputs(converter)
    conversions = [
        (
            converter.config.name_converter.from_argument(argument),
            argument.python_name,
            inputs.of(argument.type),
        )
        for argument in arguments
    ]

    def convert(coerced: dict[str, Any]) -> dict[str, Any]:
        return {
            python_name: coerced[name] if conversion is None else conversion(coerced[name])
            for name, python_name, conversion in conversions
            if name in coerced
        }

    return convert


class _Inputs:
    """The conversions of one schema's types; `None` if values stay as they are."""

    def __init__(self, converter: GraphQLCoreConverter) -> None:
        self._converter = converter
        self._by_class: dict[type, Conversion] = {}

    def of(self, type_: Any) -> Conversion | None:
        if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
            raise UnknownInput(type_)
        if isinstance(type_, StrawberryOptional):
            return self.of(type_.of_type)
        if isinstance(type_, LazyType):
            return self.of(type_.resolve_type())
        if isinstance(type_, StrawberryList):
            return _list(self.of(type_.of_type))
        if _is_leaf_type(type_, self._converter.scalar_registry):
            return None
        if not has_object_definition(type_):
            if isinstance(getattr(type_, "__strawberry_definition__", None), StrawberryEnumDefinition):
                return None
            raise UnknownInput(type_)
        known = self._by_class.get(type_)
        return known or self._input(type_, type_.__strawberry_definition__)

    def _input(self, class_: type, definition: StrawberryObjectDefinition) -> Conversion:
        if definition.from_input is not None or not definition.is_input:
            raise UnknownInput(class_)
        names = self._converter.config.name_converter
        absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }
        conversions: list[tuple[str, str, Conversion | None]] = []

        def convert(value: Any) -> Any:
            if value is None or value is strawberry.UNSET:
                return value
            values: dict[str, Any] = absent.copy()
            for name, python_name, conversion in conversions:
                if name in value:
                    content = value[name]
                    values[python_name] = content if conversion is None else conversion(content)
            return class_(**values)

        self._by_class[class_] = convert  # an input may contain inputs of its own type
        conversions += [
            (
                names.from_field(field),
                field.python_name,
                self.of(field.resolve_type(type_definition=definition)),
            )
            for field in definition.fields
        ]
        return convert


def _list(conversion: Conversion | None) -> Conversion:
    def convert(value: Any) -> Any:
        if value is None or value is strawberry.UNSET:
            return value
        # The list is copied, since graphql-core uses the list of a default value for each request.
        return list(value) if conversion is None else [conversion(item) for item in value]

    return convert
