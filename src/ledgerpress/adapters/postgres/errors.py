"""Translates errors of asyncpg into errors of the log: transient, permanent and other errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

import asyncpg
from asyncpg import exceptions

from ledgerpress.eventlog.errors import (
    EventLogError,
    LogAccessDenied,
    LogDamaged,
    LogUnavailable,
    LogUnusable,
)

TRANSIENT: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    exceptions.OperatorInterventionError,
    exceptions.InsufficientResourcesError,
    exceptions.PostgresSystemError,
    exceptions.LockNotAvailableError,
    exceptions.TransactionRollbackError,
    exceptions.IdleInTransactionSessionTimeoutError,
    exceptions.ReadOnlySQLTransactionError,
)
"""The server is down, restarting, busy, full, or about to become a standby: a retry may succeed."""
PERMANENT: Final = (
    exceptions.ClientConfigurationError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.DatabaseDroppedError,
)
"""The URL, or the database in it, is wrong: an operator must correct it first."""


@contextmanager
def log_errors(shown: str) -> Iterator[None]:
    """Raise the errors of asyncpg as errors of the log. `shown` is the URL that may be displayed."""
    try:
        yield
    except EventLogError:
        raise
    except Exception as error:  # asyncpg raises many classes without a common base class
        raise log_error(error, shown) from error


def log_error(error: Exception, shown: str) -> EventLogError:
    """Return the log error that an error of asyncpg means: `LogUnavailable`, `LogDamaged`, `LogUnusable` or `EventLogError`."""
    if isinstance(error, EventLogError):
        return error
    reason = str(error) or type(error).__name__
    if isinstance(error, PERMANENT):
        return LogUnusable(f"{shown} cannot be used: {reason}")
    if isinstance(error, exceptions.TargetServerAttributeNotMatched):
        return LogUnavailable(f"{shown} is a replica, or accepts no writes now; the log needs the primary")
    if isinstance(error, exceptions.DataCorruptedError | exceptions.IndexCorruptedError):
        return LogDamaged(f"{shown} reports damaged data: {reason}; restore the database from a backup")
    if isinstance(error, TimeoutError):
        return LogUnavailable(f"{shown} does not answer")
    if isinstance(error, TRANSIENT) and not isinstance(error, ValueError):  # such as a number beyond 64 bits
        return LogUnavailable(f"{shown} cannot be reached, or cannot answer now: {reason}")
    if isinstance(error, exceptions.InsufficientPrivilegeError):
        return LogAccessDenied(f"{shown} does not permit this for the current role: {reason}")
    return EventLogError(f"{shown} rejected the request: {reason}")


def quoted(value: str, shown: str) -> str:
    """Return a value of the URL for use in a message, or "…" if the displayed URL hides the value."""
    return repr(value) if value in unquote(shown) else "…"
