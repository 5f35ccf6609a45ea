"""Execute an operation on one snapshot of the views, and return a response with errors as clients may see them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, MiddlewareManager, OperationType
from graphql import execute as execute_document
from graphql.execution import AbortedGraphQLExecutionError
from graphql.pyutils import AbortSignal
from strawberry.types import ExecutionContext

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.graphql.compiled.tested_versions import load_compiled_executor
from ledgerpress.graphql.context import Context, Store
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.errors import (
    LogUnavailableError,
    client_errors,
    is_unavailable,
    is_views_unavailable,
    masked_error,
)
from ledgerpress.graphql.limits.cost import Cost, cost_extension
from ledgerpress.graphql.limits.exceeded import TimeLimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.request_telemetry_record import CURRENT, NO_TRACE
from ledgerpress.graphql.results import ResponseMap, Result, ResultKind, error_result
from ledgerpress.graphql.schema_checks import check_schema
from ledgerpress.graphql.schema_extensions import execute_with_extensions, extension_names
from ledgerpress.views.files.views_health import ViewsUnavailable
from ledgerpress.views.snapshot_and_cache_dependencies import CacheDependencies

logger = logging.getLogger(__name__)


class Executor:
    """An executor of the operations of one schema."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: Limits | None = None,
        on_document_thread_start: Callable[[], None] | None = None,
    ) -> None:
        """Execute within `limits`; the default is the limits of the development profile.

        Raises `SchemaError` if the schema has an extension, or anything else, that cannot take effect.
        """
        check_schema(schema)
        self.schema = schema
        self.limits = limits or Limits.development()
        self.documents = Documents(self.schema._schema, self.limits, on_thread_start=on_document_thread_start)
        self._execute_compiled = load_compiled_executor()
        self._extension_names = extension_names(schema)
        self.has_extensions: Final = bool(self._extension_names)
        """Whether extensions take part in each execution. If so, no query is compiled and no response is cached."""

    def log_effect_of_extensions(self) -> None:
        """Log a warning if the schema has extensions: they turn off compiled queries and the response cache."""
        if self.has_extensions:
            logger.warning(
                "the schema has extensions (%s): graphql-core executes every operation with their hooks, "
                "queries are not compiled, and responses are not cached",
                ", ".join(self._extension_names),
            )

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

        If `open_past` is true, everyone may see the past of what is public today. The dependencies of the response are
        added to `reads`.
        """
        result = self.begin(
            store, operation, variables=variables, identity=identity, open_past=open_past, reads=reads
        )
        return result if isinstance(result, Result) else await result

    def begin(
        self,
        store: Store,
        operation: Operation,
        *,
        variables: Mapping[str, Any] | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
        reads: CacheDependencies | None = None,
    ) -> "Result[ResponseMap] | PendingResult":
        """Execute an operation like `execute`. Return its result if nothing has to be awaited, as in most queries.

        Otherwise the caller MUST await the pending result, in any task, or close it.
        """
        request = CURRENT.get()
        trace = (request and request.trace) or NO_TRACE
        context = Context(store, identity, open_past=open_past, trace=trace, reads=reads)
        is_awaited = False
        try:
            cost = operation.admit(variables)
            if request is not None:
                request.cost = cost.field
            is_mutation = operation.type is OperationType.MUTATION
            if is_mutation and store.log_health.is_lost:
                raise RequestError(LogUnavailableError())
            # A mutation is not interrupted: its waits are bounded.
            if not is_mutation and self.limits.seconds is not None:
                context.deadline = time.monotonic() + self.limits.seconds
            result = self._run(operation, variables, context)
            if isinstance(result, ExecutionResult):
                return self._result(result, context, cost, is_mutation=is_mutation)
            is_awaited = True
            return PendingResult(
                self._finish(result, context, cost, is_mutation=is_mutation), result, context
            )
        except Exception as error:  # noqa: BLE001 - clients get no details of any failure
            return self._failed(error, context)
        finally:
            if not is_awaited:
                context.close()

    async def _finish(
        self, awaited: Awaitable[ExecutionResult], context: Context, cost: Cost, *, is_mutation: bool
    ) -> Result[ResponseMap]:
        """Await the rest of an execution until the deadline of the context, and close the context."""
        try:
            if context.deadline is None:
                result = await awaited
            else:
                async with asyncio.timeout(context.deadline - time.monotonic()):
                    result = await awaited
            return self._result(result, context, cost, is_mutation=is_mutation)
        except Exception as error:  # noqa: BLE001 - clients get no details of any failure
            return self._failed(error, context)
        finally:
            context.close()

    def _failed(self, error: Exception, context: Context) -> Result[ResponseMap]:
        if isinstance(error, RequestError):
            return self._request_error(error, _position(context))
        if isinstance(error, TimeoutError | TimeLimitExceeded | AbortedGraphQLExecutionError):
            return self._request_error(RequestError(TimeLimitExceeded()), _position(context))
        # No position: the views themselves may have failed.
        return error_result([masked_error(error)], 0)

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
        """Resolve and execute an operation, for programs without an HTTP edge."""
        try:
            operation = await self.documents.resolve(query, operation_name)
        except RequestError as error:
            return self.reject(store, error)
        return await self.execute(
            store, operation, variables=variables, identity=identity, open_past=open_past
        )

    def reject(self, store: Store, error: RequestError) -> Result[ResponseMap]:
        """Return the result of a request without a valid operation, from the error that `Documents.resolve` raised."""
        with store.snapshot() as snapshot:
            return self._request_error(error, snapshot.position)

    async def step(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """Execute one step of a subscription. The caller closes the context."""
        if self.limits.seconds is not None:
            context.deadline = time.monotonic() + self.limits.seconds
        try:
            result = self._run(operation, variables, context)
            return result if isinstance(result, ExecutionResult) else await result
        except (TimeLimitExceeded, AbortedGraphQLExecutionError):
            return ExecutionResult(None, [TimeLimitExceeded()])
        except RequestError as error:
            return ExecutionResult(None, list(error.errors))

    def _run(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute a query or a mutation with a compiled plan if possible, and everything else with graphql-core."""
        if self.has_extensions:
            execute = partial(self._execute_for_extensions, context)
            return execute_with_extensions(self.schema, operation, variables, context, execute)
        if operation.type is not OperationType.SUBSCRIPTION and self._execute_compiled is not None:
            compiled = self._execute_compiled(operation, variables, context)
            if compiled is not None:
                return compiled
        return execute_document(
            self.schema._schema,
            operation.document,
            context_value=context,
            variable_values=dict(variables) if variables else None,
            operation_name=operation.name,
            hide_suggestions=not self.limits.suggestions,
            abort_signal=_abort_signal(context),
        )

    def _execute_for_extensions(
        self, context: Context, execution: ExecutionContext, middleware: MiddlewareManager
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute an operation that extensions may have changed, as `strawberry.Schema.execute` does."""
        return execute_document(
            self.schema._schema,
            cast("DocumentNode", execution.graphql_document),
            root_value=execution.root_value,
            context_value=execution.context,
            variable_values=execution.variables,
            operation_name=execution.operation_name,
            hide_suggestions=not self.limits.suggestions,
            abort_signal=_abort_signal(context),
            middleware=middleware,
            executor_class=self.schema.execution_context_class,
            operation_extensions=execution.operation_extensions,
        )

    def _check_available(
        self, result: ExecutionResult, errors: Sequence[GraphQLError], context: Context, *, is_mutation: bool
    ) -> None:
        """Raise the error of the whole request if it had no effect because the log or the views are unavailable."""
        try:
            context.check_views(errors)
        except ViewsUnavailable:
            if not is_mutation or _was_not_begun(result, errors, is_views_unavailable):
                raise
        if is_mutation and _was_not_begun(result, errors, is_unavailable):
            raise RequestError(LogUnavailableError(errors))

    def _result(
        self, result: ExecutionResult, context: Context, cost: Cost, *, is_mutation: bool
    ) -> Result[ResponseMap]:
        if result.errors:
            self._check_available(result, result.errors, context, is_mutation=is_mutation)
        position = _position(context)
        members = dict(result.extensions or {})
        if self.limits.tell_cost:
            members["cost"] = cost_extension(cost)
        extensions: ResponseMap = {"extensions": members} if members else {}
        if not result.errors:
            return Result(ResultKind.COMPLETE, {"data": result.data, **extensions}, position)
        errors = self._presentable(result.errors)
        if result.data is None and not any(error.path for error in result.errors):
            return error_result(errors, position, **extensions)
        return Result(ResultKind.PARTIAL, {"errors": errors, "data": result.data, **extensions}, position)

    def _request_error(self, error: RequestError, position: int) -> Result[ResponseMap]:
        kind = ResultKind.SYNTAX_ERROR if error.is_syntax_error else ResultKind.REQUEST_ERROR
        return error_result(self._presentable(error.errors), position, kind=kind)

    def _presentable(self, errors: Iterable[GraphQLError]) -> list[ResponseMap]:
        return client_errors(errors, suggestions=self.limits.suggestions)


class PendingResult:
    """The result of an execution that has to be awaited."""

    def __init__(
        self,
        rest: Coroutine[Any, Any, Result[ResponseMap]],
        awaited: Awaitable[ExecutionResult],
        context: Context,
    ) -> None:
        self._rest = rest
        self._awaited = awaited
        self._context = context

    def __await__(self) -> Generator[Any, Any, Result[ResponseMap]]:
        return self._rest.__await__()

    def close(self) -> None:
        """Release the snapshot, also if the task that was to await the result was cancelled before it began."""
        self._rest.close()
        if isinstance(self._awaited, Coroutine):
            self._awaited.close()
        self._context.close()


def _abort_signal(context: Context) -> "AbortSignal | None":
    signal = None if context.deadline is None else DeadlineSignal(context.deadline)
    return cast("AbortSignal | None", signal)


def _position(context: Context) -> int:
    """Return the position of the views that were read; 0 if they cannot be read."""
    try:
        return context.today.snapshot.position
    except ViewsUnavailable:
        return 0


def _was_not_begun(
    result: ExecutionResult, errors: Sequence[GraphQLError], is_cause: Callable[[GraphQLError], bool]
) -> bool:
    """Return whether a mutation had no effect because of errors for which `is_cause` returns true.

    A document with several root fields may have had an effect. So may a mutation whose payload fails.
    """
    is_single = len(result.data or ()) == 1
    return is_single and all(len(error.path or ()) == 1 and is_cause(error) for error in errors)


class DeadlineSignal:
    """A deadline as an abort signal for graphql-core's executor, which checks `aborted` at every field.

    A timer alone fires too late, because a query usually does not yield to the event loop.
    """

    reason: Final = TimeLimitExceeded()

    def __init__(self, deadline: float) -> None:
        """Abort at `deadline`, by `time.monotonic`."""
        self._deadline = deadline

    @property
    def aborted(self) -> bool:
        return time.monotonic() >= self._deadline

    async def wait(self) -> object:
        """Wait until the deadline, and return the reason."""
        await asyncio.sleep(max(self._deadline - time.monotonic(), 0) + 0.001)
        return self.reason
