"""Run the hooks of Strawberry schema extensions around each execution.

Compiled plans and cached responses call no hooks. So if a schema has extensions, graphql-core executes each operation.
`schema_checks` rejects extensions that cannot take effect.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import strawberry
from graphql import (
    ExecutionResult,
    GraphQLError,
    MiddlewareManager,
    parse,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from ledgerpress.graphql.documents import Operation, RequestError
from ledgerpress.graphql.limits.exceeded import TimeLimitExceeded

ExtensionFactory: TypeAlias = Callable[[], SchemaExtension]
"""An extension class, or a function that returns a new instance."""
Execute: TypeAlias = Callable[
    [ExecutionContext, MiddlewareManager], ExecutionResult | Awaitable[ExecutionResult]
]
"""Executes the document of a Strawberry execution context, with the `resolve` hooks as middleware."""


def extension_names(schema: strawberry.Schema) -> list[str]:
    """Return the class names of the extensions and of a custom execution context class, if there are any.

    They take part in each execution. Operation directives are implemented by an extension.
    """
    names = [type(extension).__name__ for extension in schema.get_extensions()]
    if schema.execution_context_class is not StrawberryGraphQLCoreExecutionContext:
        names.append(schema.execution_context_class.__name__)
    return names


async def execute_with_extensions(
    schema: strawberry.Schema,
    operation: Operation,
    variables: Mapping[str, Any] | None,
    context: object,
    execute: Execute,
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
                    async with runner.on_stream_result(execution.result):  # type: ignore[arg-type]  # like Strawberry
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

    The operation's document is already parsed and has passed the standard rules. They are applied again only to a
    different document: one that an extension has set, or that was parsed with other options.
    """
    async with runner.parsing():
        if execution.graphql_document is None:
            try:
                options: Any = execution.parse_options
                text = execution.query or ""
                is_same = text == operation.text and not options
                execution.graphql_document = operation.document if is_same else parse(text, **options)
            except GraphQLError as error:
                execution.pre_execution_errors = [error]
    if execution.pre_execution_errors:
        return execution.pre_execution_errors
    _check_type(execution, operation)
    async with runner.validation():
        if execution.pre_execution_errors is None:
            document = execution.graphql_document or operation.document
            rules = execution.validation_rules
            if document is operation.document:
                rules = tuple(rule for rule in rules if rule not in specified_rules)
            execution.pre_execution_errors = validate(execution.schema._schema, document, rules)
    return execution.pre_execution_errors or []


def _check_type(execution: ExecutionContext, operation: Operation) -> None:
    """Raise `GraphQLError` if an extension does not allow the type of the operation."""
    try:
        type_ = execution.operation_type
    except RuntimeError as error:
        raise GraphQLError("The document has no operation with the name in operationName.") from error
    if type_ not in execution.allowed_operations:
        raise GraphQLError(f"Operations of the type {type_.value} are not allowed.")
    if type_.value != operation.type.value:
        # GET requests, for example, have been accepted because they are queries.
        raise RuntimeError(f"an extension has replaced a {operation.type.value} with a {type_.value}")


async def _execute(
    execution: ExecutionContext,
    runner: SchemaExtensionsRunner,
    middleware: MiddlewareManager,
    execute: Execute,
) -> None:
    """Execute the document and set the result, unless an extension has set one."""
    async with runner.executing():
        if execution.result is None:
            executed = execute(execution, middleware)
            execution.result = executed if isinstance(executed, ExecutionResult) else await executed
        if execution.result.errors:
            execution.pre_execution_errors = execution.result.errors
