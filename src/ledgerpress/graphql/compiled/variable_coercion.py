"""Coercion of variables (specification, section 6.1.2) by functions that are built once for an operation.

Only valid values are coerced here. For anything else, graphql-core coerces the variables again and reports the errors.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    Undefined,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from graphql.utilities.coerce_input_value import coerce_default_value

from ledgerpress.graphql.compiled.completion import identity_class
from ledgerpress.graphql.documents import Operation

VariableCoercion: TypeAlias = Callable[[Mapping[str, Any]], VariableValues | None]
"""Returns the coerced variables, `None` if graphql-core has to coerce them."""
_Coercion: TypeAlias = Callable[[Any], Any]
"""Returns the coerced value. Any exception means that graphql-core has to coerce it."""


class _Uncoerced(Exception):
    """A value is invalid, or is coerced only by graphql-core."""


def variable_coercion(operation: Operation) -> VariableCoercion:
    """Return the function that coerces the variables of an operation."""
    variables = []
    coercions = _Coercions()
    try:
        for node in operation.node.variable_definitions or ():
            signature = get_variable_signature(operation.schema, node)
            if isinstance(signature, GraphQLError):
                raise _Uncoerced(node)
            may_be_absent = node.default_value is None and not isinstance(signature.type, GraphQLNonNull)
            absent = VariableValueSource(signature) if may_be_absent else None
            variables.append((signature, absent, coercions.of(signature.type)))
    except Exception:  # noqa: BLE001 - raised again, or reported, by graphql-core
        return lambda _: None

    def coerce(inputs: Mapping[str, Any]) -> VariableValues | None:
        values = VariableValues({}, {})
        try:
            for signature, absent, coercion in variables:
                name = signature.name
                value = inputs.get(name, Undefined)
                if value is not Undefined:
                    values.coerced[name] = coercion(value)
                    values.sources[name] = VariableValueSource(signature, value)
                elif absent is not None:
                    values.sources[name] = absent
                else:
                    return None
        except Exception:  # noqa: BLE001 - graphql-core reports it
            return None
        return values

    return coerce


class _Coercions:
    """The coercions of types that do not contain themselves, so that the depth of values is limited."""

    def __init__(self) -> None:
        self._begun: set[GraphQLInputObjectType] = set()

    def of(self, type_: GraphQLInputType) -> _Coercion:
        """Return the coercion of a type. Raises `_Uncoerced`."""
        match type_:
            case GraphQLNonNull(of_type=inner):
                return _non_null(self.of(inner))
            case GraphQLList(of_type=item):
                return _list(self.of(item))
            case GraphQLInputObjectType() if type_ not in self._begun:
                self._begun.add(type_)
                coercion = self._input_object(type_)
                self._begun.remove(type_)
                return coercion
            case GraphQLScalarType() | GraphQLEnumType():
                return _leaf(type_)
        raise _Uncoerced(type_)

    def _input_object(self, type_: GraphQLInputObjectType) -> _Coercion:
        fields = [
            (
                name,
                field.out_name or name,
                self.of(field.type),
                is_required_input_field(field),
                coerce_default_value(field),
            )
            for name, field in type_.fields.items()
        ]
        is_one_of, out_type = type_.is_one_of, type_.out_type

        def coerce(value: Any) -> Any:
            if value is None:
                return None
            if type(value) is not dict:
                raise _Uncoerced(value)
            coerced, count = {}, 0
            for name, out_name, coercion, is_required, default in fields:
                if name in value:
                    coerced[out_name] = coercion(value[name])
                    count += 1
                elif is_required:
                    raise _Uncoerced(value)
                elif default is not Undefined:
                    coerced[out_name] = default
            if count != len(value) or (is_one_of and not (count == 1 == len(coerced))):
                raise _Uncoerced(value)
            if is_one_of and None in coerced.values():
                raise _Uncoerced(value)
            return out_type(coerced)

        return coerce


def _non_null(coercion: _Coercion) -> _Coercion:
    def coerce(value: Any) -> Any:
        if value is None:
            raise _Uncoerced(value)
        return coercion(value)

    return coerce


def _list(coercion: _Coercion) -> _Coercion:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            raise _Uncoerced(value)
        return [coercion(item) for item in value]

    return coerce


def _leaf(type_: GraphQLScalarType | GraphQLEnumType) -> _Coercion:
    coerce_value = type_.coerce_input_value

    def any_value(value: Any) -> Any:
        if value is None:
            return None
        if value is Undefined or (coerced := coerce_value(value)) is Undefined:
            raise _Uncoerced(value)
        return coerced

    if (kind := identity_class(type_)) is not None:
        return lambda value: value if type(value) is kind else any_value(value)
    if type_ is GraphQLInt:
        return lambda value: (
            value if type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT else any_value(value)
        )
    return any_value
