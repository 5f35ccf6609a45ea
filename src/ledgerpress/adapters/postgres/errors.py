"""What went wrong with PostgreSQL, in the words of the log: what may pass, and what will not."""

from typing import Final
from urllib.parse import unquote

import asyncpg
from asyncpg import exceptions

from ledgerpress.eventlog.errors import EventLogError, LogRefuses, LogUnavailable, LogUnusable

PASSING: Final = (
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
"""The server is away, restarts, is busy or full, or is about to hand over to another."""
LASTING: Final = (
    exceptions.ClientConfigurationError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.DatabaseDroppedError,
)
"""The URL, or what it names, has to be put right first."""


def failure(error: Exception, where: str) -> EventLogError:
    """Return what to raise for an error of asyncpg: `LogUnavailable`, `LogUnusable`, or just `EventLogError`."""
    if isinstance(error, EventLogError):
        return error
    why = str(error) or type(error).__name__
    if isinstance(error, LASTING):
        return LogUnusable(f"{where} cannot be used: {why}")
    if isinstance(error, exceptions.TargetServerAttributeNotMatched):
        return LogUnavailable(
            f"{where} is a replica or takes no writes now; the log is only used on the primary"
        )
    if isinstance(error, TimeoutError):
        return LogUnavailable(f"{where} does not answer")
    if isinstance(error, PASSING) and not isinstance(error, ValueError):  # such as a number beyond 64 bits
        return LogUnavailable(f"{where} cannot be reached, or cannot answer now: {why}")
    if isinstance(error, exceptions.InsufficientPrivilegeError):
        return LogRefuses(f"{where} does not allow this to the role that is used: {why}")
    return EventLogError(f"{where} refuses: {why}")


def quoted(said: str, shown: str) -> str:
    """Return what a URL says, unless it is hidden where the URL is shown."""
    return repr(said) if said in unquote(shown) else "…"
