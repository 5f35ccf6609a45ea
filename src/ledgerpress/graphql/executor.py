"""Execute an operation on one snapshot of the views, and return its response with presentable errors."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql import execute as execute_document
from graphql.execution import AbortedGraphQLExecutionError
from graphql.pyutils import AbortSignal

from ledgerpress.commands.roles_and_permissions import LOCAL_OPERATOR, Identity
from ledgerpress.graphql.compiled.compiled_executor import Compiler
from ledgerpress.graphql.context import Context, Store
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.errors import LogUnavailableError, client_errors, is_unavailable, masked_error
from ledgerpress.graphql.limits.cost import Cost
from ledgerpress.graphql.limits.deadline import DeadlineSignal, TimeLimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.request_telemetry import current_trace, note_cost
from ledgerpress.graphql.results import ResponseMap, Result, ResultKind, error_result
from ledgerpress.views.snapshot import CacheDependencies


class Executor:
    """Executes operations against stores."""

    def __init__(self, schema: strawberry.Schema, *, limits: Limits | None = None) -> None:
        """Execute within `limits`; the default is the development profile's."""
        self.schema = schema
        self.limits = limits or Limits.development()
        self.documents = Documents(self.schema._schema, self.limits)
        self._compiler = Compiler(self.schema._schema, hide_suggestions=not self.limits.suggestions)

    async def execute(
        self,
        store: Store,
        operation: Operation,
        *,
        variables: Mapping[str, Any] | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
        reads: CacheDependencies | None = None,
    ) -> Result[ResponseMap]:
        """Execute an operation of `documents`. Failures are reported in the response's `errors`.

        With `open_past`, everyone may see the past of what is public today. What the response depends on is added to
        `reads`.
        """
        context = Context(store, identity, open_past=open_past, trace=current_trace(), reads=reads)
        try:
            try:
                cost = operation.admit(variables)
                note_cost(cost.field)
                is_mutation = operation.type is OperationType.MUTATION
                if is_mutation and store.log_health.is_lost:
                    raise RequestError(LogUnavailableError())
                async with self._time_limit(operation, context):
                    result = await self._run(operation, variables, context)
                if is_mutation and _was_not_begun(result):
                    raise RequestError(LogUnavailableError(result.errors or ()))
                return self._result(result, context, cost)
            except RequestError as error:
                return self._request_error(error, context.today.snapshot.position)
            except (TimeoutError, TimeLimitExceeded, AbortedGraphQLExecutionError):
                return self._request_error(RequestError(TimeLimitExceeded()), context.today.snapshot.position)
            except Exception as failure:  # noqa: BLE001 - whatever fails, clients get no details
                # No position: what failed may be the views themselves.
                return error_result([masked_error(failure)], 0)
        finally:
            context.close()

    async def execute_document(
        self,
        store: Store,
        query: str,
        *,
        operation_name: str | None = None,
        variables: Mapping[str, Any] | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
    ) -> Result[ResponseMap]:
        """Resolve and execute an operation, for programs that have no HTTP edge."""
        try:
            operation = await self.documents.resolve(query, operation_name)
        except RequestError as error:
            return self.reject(store, error)
        return await self.execute(
            store, operation, variables=variables, identity=identity, open_past=open_past
        )

    def reject(self, store: Store, error: RequestError) -> Result[ResponseMap]:
        """Return the result of a request without a valid operation, as `Documents.resolve` raised it."""
        with store.snapshot() as snapshot:
            return self._request_error(error, snapshot.position)

    def _time_limit(self, operation: Operation, context: Context) -> AbstractAsyncContextManager[object]:
        """Bound the time of a query. A mutation is not interrupted: its waits are bounded."""
        if self.limits.seconds is None or operation.type is not OperationType.QUERY:
            return nullcontext()
        context.deadline = time.monotonic() + self.limits.seconds
        return asyncio.timeout(self.limits.seconds)

    async def step(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """Execute one step of a subscription, in a context that the caller closes."""
        if self.limits.seconds is not None:
            context.deadline = time.monotonic() + self.limits.seconds
        try:
            return await self._run(operation, variables, context)
        except (TimeLimitExceeded, AbortedGraphQLExecutionError):
            return ExecutionResult(None, [TimeLimitExceeded()])

    async def _run(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        compiled = self._compiler.execute(operation, variables, context)
        if compiled is not None:
            return compiled
        signal = None if context.deadline is None else DeadlineSignal(context.deadline)
        result = execute_document(
            self.schema._schema,
            operation.document,
            context_value=context,
            variable_values=dict(variables) if variables else None,
            operation_name=operation.name,
            hide_suggestions=not self.limits.suggestions,
            abort_signal=cast("AbortSignal | None", signal),
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        assert isinstance(result, ExecutionResult)  # noqa: S101 - incremental delivery has its own function
        return result

    def _result(self, result: ExecutionResult, context: Context, cost: Cost) -> Result[ResponseMap]:
        position = context.today.snapshot.position
        extensions: ResponseMap = (
            {"extensions": {"cost": cost.for_response()}} if self.limits.tell_cost else {}
        )
        errors = self._presentable(result.errors or ())
        if result.data is None and not any(error.path for error in result.errors or ()):
            return error_result(errors, position, **extensions)
        if errors:
            return Result(ResultKind.PARTIAL, {"errors": errors, "data": result.data, **extensions}, position)
        return Result(ResultKind.COMPLETE, {"data": result.data, **extensions}, position)

    def _request_error(self, error: RequestError, position: int) -> Result[ResponseMap]:
        kind = ResultKind.SYNTAX_ERROR if error.is_syntax_error else ResultKind.REQUEST_ERROR
        return error_result(self._presentable(error.errors), position, kind=kind)

    def _presentable(self, errors: Iterable[GraphQLError]) -> list[ResponseMap]:
        return client_errors(errors, suggestions=self.limits.suggestions)


def _was_not_begun(result: ExecutionResult) -> bool:
    """Return whether a mutation had no effect because the log could not be reached.

    A document with several root fields may have had an effect; so may a mutation whose payload needs the log.
    """
    if not result.errors or len(result.data or ()) != 1:
        return False
    return all(len(error.path or ()) == 1 and is_unavailable(error) for error in result.errors)
