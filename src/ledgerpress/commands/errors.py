"""Rejections: errors that a user can cause. A rejected command records nothing."""

from enum import StrEnum

from ledgerpress.eventlog.errors import UndecodableEvent


class ErrorCode(StrEnum):
    """The error codes of the kernel. Each feature declares its own codes as constants. Clients rely on all codes."""

    BLANK = "BLANK"
    TOO_LONG = "TOO_LONG"
    INVALID_TEXT = "INVALID_TEXT"
    INVALID_VALUE = "INVALID_VALUE"
    INVALID_ID = "INVALID_ID"
    NOT_FOUND = "NOT_FOUND"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_KEY_UNVERIFIABLE = "IDEMPOTENCY_KEY_UNVERIFIABLE"
    BUSY = "BUSY"
    VIEWS_PAUSED = "VIEWS_PAUSED"
    EVENT_UNREADABLE = "EVENT_UNREADABLE"
    MUST_BE_FIRST = "MUST_BE_FIRST"
    TOO_MANY_EVENTS = "TOO_MANY_EVENTS"


class Rejection(Exception):
    """The rejection of a command.

    `field` is the path of the invalid field in the client's input. `current_version` is set for a version conflict.
    `conflicts` are the fields of the object that prevent a revert. `holders` names an object that has what the client
    wanted, as types of global ids and ids: the client MUST learn only of the first one that it may see. `command_index`
    is the index of the rejected command among commands that are executed together, `None` if all of them are rejected.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: tuple[str, ...] = (),
        current_version: int | None = None,
        conflicts: tuple[str, ...] = (),
        holders: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.current_version = current_version
        self.conflicts = conflicts
        self.holders = holders
        self.command_index: int | None = None


def version_conflict(*, expected: int, current: int) -> Rejection:
    """Return the rejection of a command whose expected version is not the current version."""
    return Rejection(
        ErrorCode.VERSION_CONFLICT,
        f"You expected version {expected}, but the current version is {current}. "
        "Read the object again, then repeat the change.",
        field=("expectedVersion",),
        current_version=current,
    )


def unreadable_event(error: UndecodableEvent) -> Rejection:
    """Return the rejection of a command that needs an event that this program cannot decode.

    The message names the event, but contains nothing of its payload.
    """
    event = f"the event at position {error.position:,} ({error.type} version {error.schema_version})"
    if error.is_unknown:
        message = (
            f"This server does not know {event}, which a newer LedgerPress or a newer feature recorded. "
            "Nothing was changed. An operator has to upgrade this server; then repeat the command."
        )
    else:
        message = (
            f"The payload of {event} is damaged. Nothing was changed. An operator can find the reason with "
            "`ledgerpress verify`, and can withdraw the payload; then repeat the command."
        )
    return Rejection(ErrorCode.EVENT_UNREADABLE, message)
