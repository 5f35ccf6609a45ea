"""Execute operations with compiled plans, which are cached with the operation."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

from graphql import (
    DirectiveNode,
    ExecutionResult,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values

from ledgerpress.graphql.compiled.execution_state import Unsupported
from ledgerpress.graphql.compiled.mutation_compiler import MutationPlan
from ledgerpress.graphql.compiled.query_compiler import Plan
from ledgerpress.graphql.compiled.variable_coercion import variable_coercion
from ledgerpress.graphql.documents import Operation

MOST_COERCION_ERRORS: Final = 50
"""The default of graphql-core."""


def execute_compiled(
    operation: Operation, variables: Mapping[str, Any] | None, context: Any, root: Any = None
) -> ExecutionResult | Awaitable[ExecutionResult] | None:
    """Execute an operation as graphql-core would. If only graphql-core can execute it, do nothing and return `None`.

    After the context's `deadline`, the result of a query is an error with the code TIMEOUT. The result of a mutation
    has to be awaited.
    """
    plans = operation.plans
    if plans.conditions is None:
        plans.conditions, plans.coerce = _conditions(operation), variable_coercion(operation)
    coerced = plans.coerce(variables or {})
    if coerced is None:
        coerced = get_variable_values(
            operation.schema,
            operation.node.variable_definitions or (),
            dict(variables or {}),
            MOST_COERCION_ERRORS,
            not operation.limits.suggestions,
        )
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
    values = tuple([coerced.coerced.get(name, _ABSENT) for name in plans.conditions])
    plan: Plan | None = plans.by_values.get(values)
    if plan is None:
        if values not in plans.by_values:
            plan = _compile(operation, plans.conditions, coerced)
            plans.by_values.put(values, plan)
        if plan is None:
            return None
    if isinstance(plan, MutationPlan):
        return None if plan.needs_graphql_core else plan.execute_serially(coerced, context, root)
    try:
        return plan.execute(coerced, context, root)
    except Unsupported as unsupported:
        unsupported.close()
        plans.by_values.put(values, None)
        return None


def _compile(operation: Operation, conditions: tuple[str, ...], coerced: VariableValues) -> Plan | None:
    # A plan contains no data of a request except the conditions for which it was compiled.
    chosen = VariableValues(
        {name: coerced.sources[name] for name in conditions if name in coerced.sources},
        {name: coerced.coerced[name] for name in conditions if name in coerced.coerced},
    )
    try:
        return (MutationPlan if operation.type is OperationType.MUTATION else Plan)(operation, chosen)
    except (Unsupported, GraphQLError):  # graphql-core reports an invalid condition of a root field
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
