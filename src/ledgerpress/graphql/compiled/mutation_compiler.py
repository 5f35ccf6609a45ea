"""Plans of mutations: root fields are executed one after the other, and may have to be awaited.

A mutation must not be started twice. So if the payload of a root field turns out to need graphql-core, graphql-core
completes that payload from the same value, which changes nothing. From then on, it executes the whole operation.
"""

from dataclasses import dataclass, field
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLNonNull, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues
from graphql.pyutils import is_awaitable

from ledgerpress.graphql.compiled.arguments import RequestedField
from ledgerpress.graphql.compiled.completion import Completer, needs_info, null_error
from ledgerpress.graphql.compiled.execution_state import Execution, PathNode, Unsupported, path_of
from ledgerpress.graphql.compiled.field_resolvers import Resolver, resolver_of
from ledgerpress.graphql.compiled.query_compiler import Plan
from ledgerpress.graphql.documents import Operation


class MutationPlan(Plan):
    """A mutation as functions."""

    def __init__(self, operation: Operation, conditions: VariableValues) -> None:
        """`conditions` are the variables in @skip and @include. Raises `Unsupported`."""
        super().__init__(operation, conditions)
        self.needs_graphql_core = False
        """Whether graphql-core has to execute the operation from now on."""
        self._root = tuple(
            (key, self._root_field(self._root_type, key, group)) for key, group in self._root_fields().items()
        )

    def _root_field(
        self, parent: GraphQLObjectType, key: str, group: FieldDetailsList
    ) -> "_RootField | None":
        requested = self._requested(parent, key, group)
        if requested is None:
            return None
        return _RootField(
            requested,
            group,
            resolver_of(requested, may_wait=True),
            self._completion(requested, group).complete,
        )

    async def execute_serially(self, variables: VariableValues, context: Any, root: Any) -> ExecutionResult:
        """Execute the operation."""
        execution = self._execution(variables, context, None)
        data: dict[str, Any] = {}
        try:
            for key, root_field in self._root:
                if root_field is None:
                    data[key] = self._root_type.name
                    continue
                data[key] = await root_field.execute(root, execution)
                self.needs_graphql_core |= root_field.needs_graphql_core
        except GraphQLError as error:
            return ExecutionResult(None, [*execution.errors, error])
        return ExecutionResult(data, execution.errors or None)


@dataclass(slots=True, eq=False)
class _RootField:
    """A root field of a mutation, which may have to be awaited."""

    requested: RequestedField
    group: FieldDetailsList
    resolve: Resolver
    complete: Completer
    needs_graphql_core: bool = False
    _path: PathNode = field(init=False)
    _has_info: bool = field(init=False)
    _non_null: bool = field(init=False)

    def __post_init__(self) -> None:
        type_ = self.requested.definition.type
        self._path = (None, self.requested.key, self.requested.parent.name)
        self._has_info, self._non_null = needs_info(type_), isinstance(type_, GraphQLNonNull)

    async def execute(self, root: Any, execution: Execution) -> Any:
        """Return the completed value. Raises `GraphQLError` if the field fails and is not nullable."""
        requested, path = self.requested, self._path
        try:
            value = self.resolve(root, path, execution)
            if is_awaitable(value):
                value = await value
            errors = len(execution.errors)
            try:
                info = requested.info(path, execution) if self._has_info else None
                completed = self.complete(value, path, execution, info)
            except Unsupported as unsupported:
                self.needs_graphql_core = True
                del execution.errors[errors:]
                try:
                    completed = await self._complete_by_graphql_core(value, execution)
                finally:
                    unsupported.close()
            if completed is None and self._non_null:
                raise null_error(requested)
        except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
            return execution.fail(error, requested.nodes, path, non_null=self._non_null)
        return completed

    async def _complete_by_graphql_core(self, value: Any, execution: Execution) -> Any:
        executor, requested = execution.executor, self.requested
        info = requested.info(self._path, execution)
        errors = len(executor.collected_errors.errors)
        try:
            completed = executor.complete_value(
                requested.definition.type, self.group, info, path_of(self._path), value, None
            )
            return await completed if is_awaitable(completed) else completed
        finally:
            execution.errors += executor.collected_errors.errors[errors:]
