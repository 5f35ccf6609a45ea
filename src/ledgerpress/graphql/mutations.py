"""The common part of mutations: inputs that build commands, and payloads with a result or with user errors."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

import strawberry
from graphql.execution.values import get_argument_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument

from ledgerpress.commands.client_identity import OPERATOR_ACTOR_ID
from ledgerpress.commands.command_and_guard_declarations import Command, CommandInput
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import PermissionDenied
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.feature_declarations import (
    CommandMutation,
    SchemaDeclarations,
    declarations_of,
    runs_only,
)
from ledgerpress.graphql.input_rules import check_input
from ledgerpress.graphql.scalars import Position
from ledgerpress.views.files.views_health import ViewsUnavailable

ErrorCodeEnum = strawberry.enum(
    ErrorCode,
    name="ErrorCode",
    description="The reason why a command was rejected. docs/reference/limits.md explains each code.",
)
P = TypeVar("P", bound="Payload")
T = TypeVar("T")
_HOLDER_TIMEOUT: Final = 1.0
"""The time to wait until the views show the holder of a slug, in seconds."""


@strawberry.input
class MutationInput:
    """The fields that the input of every mutation has.

    `input_rules` declares what an absent field and null mean.
    """

    idempotency_key: str | None = strawberry.field(
        default=None,
        description="At most 200 characters. A command that is repeated with the same key takes effect once.",
    )
    reason: str | None = strawberry.field(
        default=None, description="The reason for the change, which the history shows."
    )
    expected_version: int | None = strawberry.field(
        default=None,
        description="The version of the object that you saw; 0 if it did not exist."
        " If it is no longer the current version, the mutation fails with VERSION_CONFLICT and changes nothing.",
    )


class BuildsCommand(Protocol):
    """The input of a mutation that runs one command."""

    def command(self) -> Command:
        """Return the command. Raises `Rejection`."""


@strawberry.type(
    description="The reason why a command was rejected. It is a result, not an error of the request."
)
class UserError:
    code: ErrorCodeEnum  # type: ignore[valid-type]
    field: list[str] | None = strawberry.field(description="The path of the invalid input field.")
    message: str
    current_version: int | None = strawberry.field(description="With VERSION_CONFLICT: the current version.")
    conflicts: list[str] | None = strawberry.field(
        description="With REVERT_CONFLICT: the fields that prevent the revert; the message names the places."
    )
    holder: strawberry.ID | None = strawberry.field(
        description="With SLUG_TAKEN: the id of the post, article or category that has the slug now or keeps it as a"
        " former slug; null if the viewer may not see that it has the slug. Pass it to `node`."
    )


@strawberry.interface(description="The result of a command.")
class Payload:
    position: Position | None = strawberry.field(
        description="The position of the command's last event, or the head of the log if there was nothing to do."
    )
    replayed: bool = strawberry.field(
        description="Whether the command was executed before, with the same idempotency key."
    )
    views_behind: bool = strawberry.field(
        description="Whether the command succeeded, but the read models do not show it yet. If so, the object is null."
    )
    user_errors: list[UserError]


@strawberry.input
class AddedInput(ABC):
    """The base class of inputs that features add to inputs of features below them."""

    @abstractmethod
    def command_input(self) -> CommandInput | None:
        """Return the value for `CommandRequest.inputs`, `None` if the client sent nothing. Raises `Rejection`."""


def command_mutation(
    command: type,
    input_type: type[BuildsCommand],
    description: str,
    *,
    payload: type[P],
    field: str,
    load: Callable[[PointInTime, str], object | None],
) -> Any:
    """Return a mutation that runs a command (see `run_command`) and requires the permission of that command."""
    mutation = CommandMutation(input_type, payload, field, load)

    def resolve(info: RequestInfo, input: Any) -> Awaitable[P]:
        return run_command(info, input, input.command, payload, field, load)

    resolve.__annotations__ = {"info": RequestInfo, "input": input_type, "return": payload}
    return strawberry.mutation(
        resolver=resolve, description=description, metadata=runs_only(command, mutation)
    )


async def run_command(
    info: RequestInfo,
    input: MutationInput,
    build: Callable[[], Command],
    payload: Callable[..., P],
    field: str,
    load: Callable[[PointInTime, str], object | None],
) -> P:
    """Run the command that `build` returns, and return a payload.

    `field` is the name of the payload's field for the object of the command. `load` reads that object after the
    command.
    """
    context = info.context
    try:
        check_input(input)
        command = build()
        added = declarations_of(info).extends.get(type(input))
        values = argument_values(info)["input"] if added else {}
        request = command_request(info, input, values)
        result = await context.store.commands.handle(command, request)
    except PermissionDenied as denial:
        raise AccessDenied(context.identity, denial.permission) from None
    except Rejection as rejection:
        return rejected(payload, field, await user_error(info, rejection))
    return succeeded(payload, field, load, result, context, None if result.views_behind else context.refresh)


def argument_values(info: RequestInfo) -> dict[str, Any]:
    """Return the arguments of a root field as the client has sent them, coerced."""
    resolve_info = info._raw_info
    definition = resolve_info.parent_type.fields[resolve_info.field_name]
    return get_argument_values(definition, resolve_info.field_nodes[0], resolve_info.variable_values)


def converted_input(info: RequestInfo, values: Mapping[str, Any], input_type: type[T]) -> T:
    """Return coerced values as an object of an input type."""
    converter: GraphQLCoreConverter = info.schema.schema_converter
    return cast("T", convert_argument(values, input_type, converter.scalar_registry, converter.config))


def command_request(info: RequestInfo, input: MutationInput, values: Mapping[str, Any]) -> CommandRequest:
    """Return the request of a command. `values` are the coerced values of `input`, for fields that features add.

    Raises `Rejection`.
    """
    identity, trace = info.context.identity, info.context.trace
    added = declarations_of(info).extends.get(type(input), ())
    return CommandRequest(
        actor_id=identity.actor_id or OPERATOR_ACTOR_ID,
        identity=identity,
        actor_name=identity.actor_name,
        idempotency_key=input.idempotency_key,
        reason=input.reason,
        expected_version=input.expected_version,
        correlation_id=trace.correlation_id,
        causation_id=trace.causation_id,
        trace_id=trace.trace_id,
        inputs=_added_inputs([converted_input(info, values, class_) for class_ in added]) if added else (),
    )


async def user_error(info: RequestInfo, rejection: Rejection, path: Sequence[str] = ("input",)) -> UserError:
    """Return a rejection as clients see it. `path` is the path of the input with the field of the rejection."""
    declared = declarations_of(info)
    if rejection.code not in {*ErrorCode, *declared.error_codes}:
        raise LookupError(f"{rejection.code} is not in `Feature.error_codes`") from rejection
    return UserError(
        code=rejection.code,
        field=[*path, *rejection.field] if rejection.field else None,
        message=rejection.message,
        current_version=rejection.current_version,
        conflicts=list(rejection.conflicts) or None,
        holder=await _visible_holder(info.context, declared, rejection),
    )


def rejected(payload: Callable[..., P], field: str, error: UserError) -> P:
    """Return the payload of a command that was rejected."""
    return payload(position=None, replayed=False, views_behind=False, user_errors=[error], **{field: None})


def succeeded(
    payload: Callable[..., P],
    field: str,
    load: Callable[[PointInTime, str], object | None],
    result: CommandResult,
    context: Context,
    moment: Callable[[], PointInTime] | None,
) -> P:
    """Return the payload of a command that was executed.

    `moment` returns the moment at which its object is read; `None` if the views are behind.
    """
    object_ = None
    if moment is not None:
        try:
            object_ = load(moment(), result.subject_id)
        except (ViewsUnavailable, sqlite3.Error) as failure:
            # The command is recorded, so the client must not send it again.
            context.note_views_failure(failure)
            moment = None
    return payload(
        position=Position(result.position),
        replayed=result.replayed,
        views_behind=moment is None,
        user_errors=[],
        **{field: object_},
    )


async def _visible_holder(
    context: Context, declared: SchemaDeclarations, rejection: Rejection
) -> strawberry.ID | None:
    """Return the id of the first holder that the viewer may see, after the views have caught up with it."""
    if not rejection.holders:
        return None
    await context.store.views.wait_for(await context.store.log.head(), _HOLDER_TIMEOUT)
    moment = context.refresh()
    for type_, id_ in rejection.holders:
        if (node := declared.nodes[type_](moment, id_)) is not None:
            return node.id
    return None


def _added_inputs(inputs: Iterable[object]) -> tuple[CommandInput, ...]:
    """Return the values of the input fields that features add. Raises `Rejection`."""
    added = []
    for value in inputs:
        check_input(value)
        if (command_input := cast("AddedInput", value).command_input()) is not None:
            added.append(command_input)
    return tuple(added)
