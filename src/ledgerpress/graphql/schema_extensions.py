"""Strawberry schema extensions: run their hooks around each execution, and reject those that cannot take effect.

Compiled plans and cached responses call no hooks. So an operation of a schema with extensions is executed by graphql-core
each time.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    MiddlewareManager,
    parse,
    specified_rules,
    validate,
)
from strawberry.extensions import DisableValidation, ParserCache, SchemaExtension, ValidationCache
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from ledgerpress.graphql.documents import Operation, RequestError
from ledgerpress.graphql.feature_declarations import SchemaError
from ledgerpress.graphql.limits.exceeded import TimeLimitExceeded

ExtensionFactory: TypeAlias = Callable[[], SchemaExtension]
"""An extension class, or a function that returns a new instance."""
ExecuteDocument: TypeAlias = Callable[
    [DocumentNode, MiddlewareManager], ExecutionResult | Awaitable[ExecutionResult]
]

_INEFFECTIVE: Final[Mapping[type[SchemaExtension], str]] = {
    DisableValidation: "every document is validated, since limits and permissions depend on it",
    ParserCache: "each document is parsed once and cached already",
    ValidationCache: "each document is validated once and cached already",
}


def has_extensions(schema: strawberry.Schema) -> bool:
    """Return whether hooks have to run around each execution. Operation directives are implemented by a hook."""
    return bool(schema.extensions or schema.directives)


def extension_names(schema: strawberry.Schema) -> list[str]:
    """Return the class names of the extensions of a schema."""
    return [type(extension).__name__ for extension in schema.get_extensions()]


def check_extensions(extensions: Iterable[object]) -> None:
    """Raise `SchemaError` for an extension that cannot take effect, with the reason."""
    for given in extensions:
        if isinstance(given, SchemaExtension):
            name = type(given).__name__
            raise SchemaError(
                f"The schema extension {name} is an instance, which requests at the same time would share. Pass the class, or "
                f"a function that returns a new one: lambda: {name}(…)."
            )
        extension = given() if callable(given) else given
        if not isinstance(extension, SchemaExtension):
            raise SchemaError(
                f"{given!r} is not a schema extension: a subclass of strawberry.extensions.SchemaExtension, or a function that "
                "returns an instance of one."
            )
        for class_, reason in _INEFFECTIVE.items():
            if isinstance(extension, class_):
                raise SchemaError(
                    f"The schema extension {type(extension).__name__} cannot take effect: {reason}. Remove it."
                )


async def execute_with_extensions(
    schema: strawberry.Schema,
    operation: Operation,
    variables: Mapping[str, Any] | None,
    context: object,
    execute: ExecuteDocument,
) -> ExecutionResult:
    """Execute a valid operation with all hooks of the schema's extensions, in the order of `strawberry.Schema.execute`.

    A step of a subscription is executed like a query; its result also passes the hook `on_stream_result`. Raises
    `RequestError` if an extension rejects the request.
    """
    execution = ExecutionContext(
        query=operation.text,
        schema=schema,
        allowed_operations=tuple(OperationType),
        context=context,
        variables=dict(variables) if variables else None,
        provided_operation_name=operation.name,
    )
    extensions = schema.get_extensions()
    for extension in extensions:
        extension.execution_context = execution
    runner = schema.create_extensions_runner(execution, extensions)
    middleware = schema._get_middleware_manager(extensions)
    try:
        async with runner.operation():
            errors = await _parse_and_validate(execution, runner, operation)
            if errors:
                execution.result = ExecutionResult(None, errors)
            else:
                await _execute(execution, runner, middleware, execute)
                if operation.type.value == OperationType.SUBSCRIPTION.value:
                    async with runner.on_stream_result(execution.result):  # type: ignore[arg-type]  # as Strawberry does
                        pass
        result = execution.result
        if result is None:
            raise RuntimeError("an extension has removed the result of the operation")
        more = await runner.get_extensions_results(execution)
    except TimeLimitExceeded:
        raise
    except GraphQLError as error:  # raised by a hook
        raise RequestError(error) from error
    if errors:
        raise RequestError(*(result.errors or errors))
    return ExecutionResult(result.data, result.errors, {**(result.extensions or {}), **more} or None)


async def _parse_and_validate(
    execution: ExecutionContext, runner: SchemaExtensionsRunner, operation: Operation
) -> list[GraphQLError]:
    """Run the hooks around parsing and validation, with the rules that extensions add. Return the errors.

    The document has been parsed and has passed the standard rules, which are applied again only to another document: one that
    an extension has set, or that was parsed with other options.
    """
    async with runner.parsing():
        if execution.graphql_document is None:
            try:
                options: Any = execution.parse_options
                execution.graphql_document = (
                    parse(operation.text, **options) if options else operation.document
                )
            except GraphQLError as error:
                execution.pre_execution_errors = [error]
    if execution.pre_execution_errors:
        return execution.pre_execution_errors
    async with runner.validation():
        if execution.pre_execution_errors is None:
            document = execution.graphql_document or operation.document
            rules = execution.validation_rules
            if document is operation.document:
                rules = tuple(rule for rule in rules if rule not in specified_rules)
            execution.pre_execution_errors = validate(execution.schema._schema, document, rules)
    return execution.pre_execution_errors or []


async def _execute(
    execution: ExecutionContext,
    runner: SchemaExtensionsRunner,
    middleware: MiddlewareManager,
    execute: ExecuteDocument,
) -> None:
    """Execute the document, unless an extension has set a result, and set the result."""
    async with runner.executing():
        if execution.result is None and execution.graphql_document is not None:
            executed = execute(execution.graphql_document, middleware)
            execution.result = executed if isinstance(executed, ExecutionResult) else await executed
        if execution.result is not None and execution.result.errors:
            execution.pre_execution_errors = execution.result.errors
