"""Execute operations with compiled plans, which are cached with the operation."""

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DirectiveNode,
    ExecutionResult,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values

from ledgerpress.graphql.compiled.execution_state import Unsupported
from ledgerpress.graphql.compiled.plain_variables import plain_variables
from ledgerpress.graphql.compiled.query_compiler import Plan
from ledgerpress.graphql.documents import Operation

MOST_COERCION_ERRORS: Final = 50
"""The default of graphql-core."""


def execute_compiled(
    operation: Operation, variables: Mapping[str, Any] | None, context: Any, root: Any = None
) -> ExecutionResult | None:
    """Execute an operation as graphql-core would. If only graphql-core can execute it, do nothing and return `None`.

    After the context's `deadline`, the result is an error with the code TIMEOUT.
    """
    plans = operation.plans
    if plans.conditions is None:
        plans.conditions = _conditions(operation)
    coerced = plain_variables(operation, variables or {})
    if coerced is None:
        complete = get_variable_values(
            operation.schema,
            operation.node.variable_definitions or (),
            dict(variables or {}),
            MOST_COERCION_ERRORS,
            not operation.limits.suggestions,
        )
        if isinstance(complete, list):
            return ExecutionResult(None, complete)
        coerced = complete
    values = tuple([coerced.coerced.get(name, _ABSENT) for name in plans.conditions])
    plan: Plan | None = plans.by_values.get(values)
    if plan is None:
        if values not in plans.by_values:
            plan = _compile(operation, plans.conditions, coerced)
            plans.by_values.put(values, plan)
        if plan is None:
            return None
    try:
        return plan.execute(coerced, context, root)
    except Unsupported:
        plans.by_values.put(values, None)
        return None


def _compile(operation: Operation, conditions: tuple[str, ...], coerced: VariableValues) -> Plan | None:
    # A plan contains no data of a request except the conditions for which it was compiled.
    chosen = VariableValues(
        {name: coerced.sources[name] for name in conditions if name in coerced.sources},
        {name: coerced.coerced[name] for name in conditions if name in coerced.coerced},
    )
    try:
        return Plan(operation, chosen)
    except Unsupported:
        return None


_ABSENT: Final = object()
_CONDITIONAL: Final = frozenset({GraphQLSkipDirective.name, GraphQLIncludeDirective.name})


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        if node.name.value in _CONDITIONAL:
            self.names.update(
                argument.value.name.value
                for argument in node.arguments or ()
                if isinstance(argument.value, VariableNode)
            )


def _conditions(operation: Operation) -> tuple[str, ...]:
    """Return the names of the variables that decide, in @skip and @include, which fields are selected."""
    visitor = _Conditions()
    visit(operation.document, visitor)
    return tuple(sorted(visitor.names))
