"""How a request is executed: the document found, executed on one snapshot, and the answer made presentable."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLError
from graphql import execute as execute_document

from ledgerpress.application.access import LOCAL_OPERATOR, Identity
from ledgerpress.graphql.context import Context, Store, Trace
from ledgerpress.graphql.documents import Documents, Operation, Refused
from ledgerpress.graphql.exchange import current_trace, note_operation
from ledgerpress.graphql.schema import make_schema

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response in the shape of the specification, section 7. `position` is that of the views it was read from."""

    body: dict[str, Any]
    position: int
    executed: bool


class Engine:
    """Executes requests against stores."""

    def __init__(self, schema: strawberry.Schema | None = None) -> None:
        self.schema = schema or make_schema()
        self.documents = Documents(self.schema._schema)

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
    ) -> Answer:
        """Execute a request. It does not raise: what fails stands in the answer's `errors`.

        `open_past` lets everyone see the past of what is public today. Without a `trace`, it is part of that of the
        request under way.
        """
        context = Context(store, identity, open_past=open_past, trace=trace or current_trace())
        try:
            try:
                operation = self.documents.operation(query, operation_name)
            except Refused as refusal:
                body = {"errors": [dict(error.formatted) for error in refusal.errors]}
                return Answer(body, context.today.snapshot.position, executed=False)
            note_operation(operation)
            result = await self._run(operation, variables, context)
            return self._answer(result, context)
        finally:
            context.close()

    async def step(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """Execute one step of a subscription, in a context that the caller closes."""
        return await self._run(operation, variables, context)

    async def _run(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        result = execute_document(
            self.schema._schema,
            operation.document,
            context_value=context,
            variable_values=dict(variables) if variables else None,
            operation_name=operation.name,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        assert isinstance(result, ExecutionResult)  # noqa: S101 - incremental delivery is another function's
        return result

    def _answer(self, result: ExecutionResult, context: Context) -> Answer:
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = [presentable(error) for error in result.errors]
        executed = result.data is not None or any(error.path for error in result.errors or ())
        if executed:
            body["data"] = result.data
        return Answer(body, context.today.snapshot.position, executed)


def presentable(error: GraphQLError) -> dict[str, Any]:
    """Return an error as a client may see it: one that is not of its making tells nothing."""
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        return dict(error.formatted)
    logger.error("a resolver failed at %s", error.path, exc_info=original)
    masked = GraphQLError(
        "Something went wrong on the server.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_SERVER_ERROR"},
    )
    return dict(masked.formatted)
