"""Execute the commands of a bulk request, and return a payload for each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import PermissionDenied
from ledgerpress.graphql.access_control import AccessDenied, check_access
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.errors import masked_error
from ledgerpress.graphql.feature_declarations import CommandMutation, declarations_of
from ledgerpress.graphql.input_rules import check_input
from ledgerpress.graphql.mutations import (
    Payload,
    UserError,
    argument_values,
    command_request,
    converted_input,
    rejected,
    succeeded,
    user_error,
)

GROUP: Final = 16
"""The number of commands that are read, or payloads that are created, in one turn of the event loop."""


@dataclass(frozen=True, slots=True)
class BulkCommand:
    """A command of a bulk request: the name of its mutation, and the command, or the reason why it is invalid."""

    name: str
    mutation: CommandMutation
    command: tuple[Command, CommandRequest] | Rejection


@dataclass(frozen=True, slots=True)
class BulkRequest:
    info: RequestInfo
    commands: Sequence[BulkCommand]
    are_together: bool

    @classmethod
    async def of(cls, info: RequestInfo, *, key: str | None, reason: str | None, are_together: bool) -> Self:
        """Read the commands of a request. `key` and `reason` are those of the request.

        Raises `AccessDenied` if the user lacks a permission for one of the commands, and `Rejection` if there is none.
        """
        declared, identity = declarations_of(info), info.context.identity
        choices = [next(iter(choice.items())) for choice in argument_values(info)["input"]["commands"]]
        if not choices:
            raise Rejection(ErrorCode.INVALID_VALUE, "Send at least one command.", field=("commands",))
        for name in dict.fromkeys(name for name, _ in choices):
            check_access(declared.permissions[f"Mutation.{name}"], declared.roles, identity)
        commands: list[BulkCommand] = []
        for index, (name, values) in enumerate(choices):
            if index % GROUP == GROUP - 1:
                await asyncio.sleep(0)
            mutation = declared.command_mutations[name]
            try:
                own_key = None if key is None else f"{key}/{index}"
                command = _command(info, mutation, values, own_key, reason, may_have_key=not are_together)
                commands.append(BulkCommand(name, mutation, command))
            except Rejection as rejection:
                commands.append(BulkCommand(name, mutation, rejection))
        return cls(info, commands, are_together)

    def path(self, index: int) -> tuple[str, ...]:
        """Return the path of the input of a command."""
        return ("input", "commands", str(index), self.commands[index].name)

    async def rejected(self, index: int, rejection: Rejection) -> Payload:
        return self.failed(index, await user_error(self.info, rejection, self.path(index)))

    def failed(self, index: int, error: UserError) -> Payload:
        mutation = self.commands[index].mutation
        payload: Payload = rejected(mutation.payload, mutation.field, error)
        return payload

    async def succeeded(self, results: Mapping[int, CommandResult]) -> dict[int, Payload]:
        """Return the payloads of executed commands, by the indexes of the commands. Their objects are read now."""
        context = self.info.context
        moment: PointInTime | None = None

        def current() -> PointInTime:
            nonlocal moment
            moment = moment or context.refresh()
            return moment

        payloads = {}
        for number, (index, result) in enumerate(results.items()):
            if number % GROUP == GROUP - 1:
                await asyncio.sleep(0)
            mutation = self.commands[index].mutation
            read: Callable[[], PointInTime] | None = None if result.views_behind else current
            payloads[index] = succeeded(
                mutation.payload, mutation.field, mutation.load, result, context, read
            )
        return payloads


async def execute_together(request: BulkRequest) -> list[Payload]:
    """Execute all commands or none. Raises `Rejection` if the request as a whole is rejected, and `AccessDenied`."""
    context = request.info.context
    commands: list[tuple[Command, CommandRequest]] = []
    try:
        for index, bulk_command in enumerate(request.commands):
            if isinstance(bulk_command.command, Rejection):
                bulk_command.command.command_index = index
                raise bulk_command.command
            commands.append(bulk_command.command)
        results = await context.store.commands.handle_together(commands)
    except PermissionDenied as denial:
        raise AccessDenied(context.identity, denial.permission) from None
    except Rejection as rejection:
        rejected_index = rejection.command_index
        if rejected_index is None:
            raise
        message = f"Nothing was recorded, because the command with the index {rejected_index} was rejected."
        return [
            await request.rejected(index, rejection)
            if index == rejected_index
            else request.failed(index, _error("NOT_EXECUTED", message))
            for index in range(len(request.commands))
        ]
    return list((await request.succeeded(dict(enumerate(results)))).values())


async def execute_individually(request: BulkRequest) -> list[Payload]:
    """Execute the commands one after the other.

    If the server fails after a command was executed, the rest is not executed, and the results say so.
    """
    handler = request.info.context.store.commands
    results: dict[int, CommandResult] = {}
    payloads: dict[int, Payload] = {}
    for index, bulk_command in enumerate(request.commands):
        try:
            if isinstance(bulk_command.command, Rejection):
                raise bulk_command.command
            results[index] = await handler.handle(*bulk_command.command, wait_for_views=False)
        except Rejection as rejection:
            payloads[index] = await request.rejected(index, rejection)
        except PermissionDenied as denial:
            payloads[index] = request.failed(index, _error("FORBIDDEN", str(denial)))
        except Exception as failure:
            if not results:
                raise
            payloads |= _failed_from(request, index, failure)
            break
    if results:
        position = max(result.position for result in results.values())
        is_behind = not await handler.wait_for_views(position)
        payloads |= await request.succeeded(
            {index: replace(result, views_behind=is_behind) for index, result in results.items()}
        )
    return [payloads[index] for index in range(len(request.commands))]


def _failed_from(request: BulkRequest, index: int, failure: Exception) -> dict[int, Payload]:
    """Return the payloads of a command during which the server failed, and of all commands after it."""
    masked = masked_error(failure)
    error_id = masked["extensions"].get("errorId")
    message = f"{masked['message']} Repeat the request with the same idempotency key."
    if error_id is not None:
        message += f" Error {error_id}."
    rest = f"Not executed, because the server failed at the command with the index {index}."
    return {
        number: request.failed(
            number, _error("FAILED", message) if number == index else _error("NOT_EXECUTED", rest)
        )
        for number in range(index, len(request.commands))
    }


def _error(code: str, message: str) -> UserError:
    return UserError(
        code=code, field=None, message=message, current_version=None, conflicts=None, holder=None
    )


def _command(
    info: RequestInfo,
    mutation: CommandMutation,
    values: Mapping[str, Any],
    key: str | None,
    reason: str | None,
    *,
    may_have_key: bool,
) -> tuple[Command, CommandRequest]:
    """Return a command and its request. `key` and `reason` are used if it has none. Raises `Rejection`."""
    command_input: Any = converted_input(info, values, mutation.input_type)
    check_input(command_input)
    command: Command = command_input.command()
    request = command_request(info, command_input, values)
    if request.idempotency_key is not None and not may_have_key:
        message = (
            "A command of an atomic request has no key of its own: set the idempotencyKey of the request."
        )
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("idempotencyKey",))
    return command, replace(
        request,
        idempotency_key=key if request.idempotency_key is None else request.idempotency_key,
        reason=reason if request.reason is None else request.reason,
    )
