"""How a request is executed: the document found, executed on one snapshot, and the answer made presentable."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql import execute as execute_document
from graphql.execution import AbortedGraphQLExecutionError
from graphql.pyutils import AbortSignal

from ledgerpress.commands.identity import LOCAL_OPERATOR, Identity
from ledgerpress.graphql.compiled.compiler import Compiler
from ledgerpress.graphql.context import Context, Store, Trace
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.errors import LogUnavailableError, client_errors, is_unavailable, masked_error
from ledgerpress.graphql.limits.cost import Cost
from ledgerpress.graphql.limits.deadline import DeadlineSignal, TimeLimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.request_context import current_trace, note_cost, note_operation
from ledgerpress.views.cache_dependencies import CacheDependencies


@dataclass(frozen=True, slots=True)
class ExecutionResponse:
    """A response in the shape of the specification, section 7. `position` is that of the views it was read from."""

    body: dict[str, Any]
    position: int
    executed: bool


class Executor:
    """Executes requests against stores."""

    def __init__(self, schema: strawberry.Schema, *, limits: Limits | None = None) -> None:
        """Execute within `limits`, or within the roomy ones of the development profile."""
        self.schema = schema
        self.limits = limits or Limits.development()
        self.documents = Documents(self.schema._schema, self.limits)
        self._compiler = Compiler(self.schema._schema, hide_suggestions=not self.limits.suggestions)

    async def execute(
        self,
        store: Store,
        query: str,
        *,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
        trace: Trace | None = None,
        reads: CacheDependencies | None = None,
    ) -> ExecutionResponse:
        """Execute a request. It does not raise: what fails stands in the answer's `errors`.

        `open_past` lets everyone see the past of what is public today. What the answer depends on is noted in `reads`.
        Without a `trace`, it is part of that of the request under way.
        """
        context = Context(store, identity, open_past=open_past, trace=trace or current_trace(), reads=reads)
        try:
            try:
                await self.documents.prepare(query)
                operation = self.documents.operation(query, operation_name)
                note_operation(operation)
                cost = operation.admit(variables)
                note_cost(cost.field)
                if operation.type is OperationType.MUTATION and store.log_health.is_lost:
                    return self._refusal(RequestError(LogUnavailableError()), context)
                async with self._time_limit(operation, context):
                    result = await self._run(operation, variables, context)
                if _was_not_begun(operation, result):
                    return self._refusal(RequestError(LogUnavailableError(result.errors or ())), context)
                return self._answer(result, context, cost)
            except RequestError as refusal:
                return self._refusal(refusal, context)
            except (TimeoutError, TimeLimitExceeded, AbortedGraphQLExecutionError):
                return self._refusal(RequestError(TimeLimitExceeded()), context)
            except Exception as failure:  # noqa: BLE001 - whatever fails, no client is told how
                # No position: what failed may be the views themselves.
                return ExecutionResponse({"errors": [masked_error(failure)]}, 0, executed=False)
        finally:
            context.close()

    def _time_limit(self, operation: Operation, context: Context) -> AbstractAsyncContextManager[object]:
        """Bound the time of a query. A mutation is not cut short: its waits are bounded, and what it did stays done."""
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
        assert isinstance(result, ExecutionResult)  # noqa: S101 - incremental delivery is another function's
        return result

    def _answer(self, result: ExecutionResult, context: Context, cost: Cost) -> ExecutionResponse:
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = self._presentable(result.errors)
        executed = result.data is not None or any(error.path for error in result.errors or ())
        if executed:
            body["data"] = result.data
        if self.limits.tell_cost:
            body["extensions"] = {"cost": cost.told()}
        return ExecutionResponse(body, context.today.snapshot.position, executed)

    def _refusal(self, refusal: RequestError, context: Context) -> ExecutionResponse:
        body = {"errors": self._presentable(refusal.errors)}
        return ExecutionResponse(body, context.today.snapshot.position, executed=False)

    def _presentable(self, errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
        return client_errors(errors, suggestions=self.limits.suggestions)


def _was_not_begun(operation: Operation, result: ExecutionResult) -> bool:
    """Whether a mutation came to nothing since the log could not be reached: as if it had never been executed.

    Of several in one document, others may have been carried out before; and in what one answers, the log may be missing
    too.
    """
    if operation.type is not OperationType.MUTATION or not result.errors or len(result.data or ()) != 1:
        return False
    return all(len(one.path or ()) == 1 and is_unavailable(one) for one in result.errors)
