"""Rejections: errors that a user can cause. A rejected command records nothing."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The codes of the kernel. Each feature declares its own as constants. Clients rely on all of them."""

    BLANK = "BLANK"
    TOO_LONG = "TOO_LONG"
    INVALID_TEXT = "INVALID_TEXT"
    INVALID_VALUE = "INVALID_VALUE"
    INVALID_ID = "INVALID_ID"
    NOT_FOUND = "NOT_FOUND"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    BUSY = "BUSY"


class Rejection(Exception):
    """A command is rejected. `field` is the path in the client's input; `current_version` accompanies a conflict.

    `conflicts` are the fields of the object that prevent a revert.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: tuple[str, ...] = (),
        current_version: int | None = None,
        conflicts: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.current_version = current_version
        self.conflicts = conflicts


def version_conflict(*, expected: int, current: int) -> Rejection:
    """Return the rejection of a command that was made for another version than the current one."""
    return Rejection(
        ErrorCode.VERSION_CONFLICT,
        f"This was made for version {expected}, but the current version is {current}: "
        "read it again, then repeat the change.",
        field=("expectedVersion",),
        current_version=current,
    )
