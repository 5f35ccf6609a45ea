"""The common part of mutations: inputs that build commands, and payloads with the result or with user errors."""

from collections.abc import Callable
from typing import TypeVar

import strawberry
from msgspec import UNSET, UnsetType

from ledgerpress.commands.authorization import PermissionDenied
from ledgerpress.commands.command_handler import Command
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.request import CommandRequest
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.scalars import Position

ErrorCodeEnum = strawberry.enum(ErrorCode, name="ErrorCode", description="Why a command was refused.")
P = TypeVar("P", bound="Payload")


@strawberry.input
class MutationInput:
    """What the input of every mutation may carry."""

    idempotency_key: str | None = strawberry.field(
        default=None,
        description="The same key makes a repeated command take effect once; at most 200 characters.",
    )
    reason: str | None = strawberry.field(default=None, description="Why: kept in the history for ever.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="The version that you have seen, 0 for what does not exist yet."
        " Where it is no longer the current one, nothing is changed.",
    )

    def command(self) -> Command:
        """Return the command. Raises `Rejection`."""
        raise NotImplementedError

    def request(self) -> CommandRequest:
        """Return what accompanies the command."""
        return CommandRequest(
            idempotency_key=self.idempotency_key, reason=self.reason, expected_version=self.expected_version
        )


@strawberry.type(description="Why a command was refused: an answer, not a failure.")
class UserError:
    """Why a command was rejected."""

    code: ErrorCodeEnum  # type: ignore[valid-type]
    field: list[str] | None = strawberry.field(description="The path of the input that is at fault.")
    message: str
    current_version: int | None = strawberry.field(description="With VERSION_CONFLICT: the version there is.")
    conflicts: list[str] | None = strawberry.field(
        description="With REVERT_CONFLICT: the fields in which the change no longer applies; the message says where."
    )


@strawberry.interface(description="What comes of a command.")
class Payload:
    """The result of a command."""

    position: Position | None = strawberry.field(
        description="The position of the command's last event; that of the log's head where there was nothing to do."
    )
    replayed: bool = strawberry.field(
        description="Whether the command had been carried out before, under this key."
    )
    views_behind: bool = strawberry.field(
        description="The command has succeeded, but the read models do not show it yet; the object is null."
    )
    user_errors: list[UserError]


async def run_command(
    info: RequestInfo,
    input: MutationInput,
    payload: Callable[..., P],
    field: str,
    load: Callable[[PointInTime, str], object | None],
    *,
    build: Callable[[], Command] | None = None,
) -> P:
    """Run the command that `input` (or `build`) builds, and return a payload.

    Its `field` is the object of the command, which `load` reads as the command left it.
    """
    context = info.context
    try:
        command = (build or input.command)()
        result = await context.store.commands.handle(command, context.complete(input.request()))
    except PermissionDenied as denial:
        raise AccessDenied(context.identity, denial.permission) from None
    except Rejection as rejection:
        error = UserError(
            code=rejection.code,
            field=["input", *rejection.field] if rejection.field else None,
            message=rejection.message,
            current_version=rejection.current_version,
            conflicts=list(rejection.conflicts) or None,
        )
        return payload(
            position=None, replayed=False, views_behind=False, user_errors=[error], **{field: None}
        )
    moment = context.refresh()
    return payload(
        position=Position(result.position),
        replayed=result.replayed,
        views_behind=result.views_behind,
        user_errors=[],
        **{field: None if result.views_behind else load(moment, result.subject_id)},
    )


def given_value(value: str | None, field: str) -> str | UnsetType:
    """Return the value of an optional input field that must not be null, `UNSET` if absent. Raises `Rejection`."""
    if value is strawberry.UNSET:
        return UNSET
    if value is None:
        raise Rejection(ErrorCode.INVALID_VALUE, f"The {field} cannot be null; leave it out.", field=(field,))
    return value
