"""Refusals that a person can cause. A rejected command records nothing."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a command was rejected: stable names that clients may rely on."""

    BLANK = "BLANK"
    TOO_LONG = "TOO_LONG"
    INVALID_TEXT = "INVALID_TEXT"
    INVALID_VALUE = "INVALID_VALUE"
    INVALID_ID = "INVALID_ID"
    NOT_FOUND = "NOT_FOUND"
    SLUG_MALFORMED = "SLUG_MALFORMED"
    SLUG_TAKEN = "SLUG_TAKEN"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    POST_ARCHIVED = "POST_ARCHIVED"
    POST_NOT_PUBLISHED = "POST_NOT_PUBLISHED"
    PUBLISHED_AT_IN_FUTURE = "PUBLISHED_AT_IN_FUTURE"
    REVERT_CONFLICT = "REVERT_CONFLICT"
    CATEGORY_CYCLE = "CATEGORY_CYCLE"
    CATEGORY_NOT_EMPTY = "CATEGORY_NOT_EMPTY"
    CATEGORY_TOO_DEEP = "CATEGORY_TOO_DEEP"
    BUSY = "BUSY"


class Rejection(Exception):
    """A command is refused. `field` is the path in the caller's input; `current_version` goes with a conflict.

    `conflicts` are the fields of the object that stand in the way of a revert.
    """

    def __init__(
        self,
        code: ErrorCode,
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
    """Return the refusal of a command that was made for another version than the current one."""
    return Rejection(
        ErrorCode.VERSION_CONFLICT,
        f"This was made for version {expected}, but the current version is {current}: "
        "read it again, then repeat the change.",
        field=("expectedVersion",),
        current_version=current,
    )
