"""Variables that need no coercion: values of the built-in scalars that are in the response as they are in the request.

graphql-core coerces all other variables, and reports those that are invalid.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from graphql import GraphQLBoolean, GraphQLError, GraphQLID, GraphQLInt, GraphQLNonNull, GraphQLString
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from ledgerpress.graphql.documents import Operation


class _PlainVariable(NamedTuple):
    """A variable of a scalar type that coercion leaves as it is: a value of `kind`, or no value if it is optional."""

    signature: GraphQLVariableSignature
    kind: type
    is_optional: bool


def plain_variables(operation: Operation, variables: Mapping[str, Any]) -> VariableValues | None:
    """Return the coerced variables if none of them has to be changed, otherwise `None`."""
    plans = operation.plans
    if plans.variables is None:
        plans.variables = _declared_variables(operation)
    sources: dict[str, VariableValueSource] = {}
    coerced: dict[str, Any] = {}
    for declared in plans.variables:
        if declared is None:
            return None
        signature, kind, is_optional = declared
        name = signature.name
        if name not in variables:
            if not is_optional:
                return None
            sources[name] = VariableValueSource(signature)
            continue
        value = variables[name]
        if type(value) is not kind:
            return None
        if type(value) is int and not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
            return None
        sources[name] = VariableValueSource(signature, value)
        coerced[name] = value
    return VariableValues(sources, coerced)


_KINDS: Final[dict[object, type]] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLBoolean: bool,
    GraphQLInt: int,
}


def _declared_variables(operation: Operation) -> tuple[_PlainVariable | None, ...]:
    """Return the variables of an operation, `None` for those that have to be coerced."""
    variables: list[_PlainVariable | None] = []
    for node in operation.node.variable_definitions or ():
        signature = get_variable_signature(operation.schema, node)
        if isinstance(signature, GraphQLError):
            return (None,)
        type_ = signature.type
        kind = _KINDS.get(type_.of_type if isinstance(type_, GraphQLNonNull) else type_)
        is_optional = not isinstance(type_, GraphQLNonNull) and node.default_value is None
        variables.append(None if kind is None else _PlainVariable(signature, kind, is_optional))
    return tuple(variables)
