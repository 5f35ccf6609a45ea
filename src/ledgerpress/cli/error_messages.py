"""What is wrong and what to do, for each error that a user can fix."""

import sqlite3
from typing import NamedTuple

from ledgerpress.cli.exit_codes import MISUSED, REFUSED, UNUSABLE
from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogUnavailable, LogUnusable
from ledgerpress.feature import InvalidFeature
from ledgerpress.graphql.schema_error import SchemaError
from ledgerpress.operator import TaskFailed
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.sqlite.connection import FileError
from ledgerpress.sqlite.faults import is_of_disk
from ledgerpress.system_errors import reason_of


class Explanation(NamedTuple):
    """The message about an error, and the exit code."""

    message: str
    code: int


def explained(error: Exception) -> Explanation | None:
    """Return the explanation of an error; `None` if it is a mistake in the program."""
    match error:
        case InvalidSettings():
            return Explanation("; ".join(error.mistakes), MISUSED)
        case AppendUnresolved():
            return Explanation(str(error), REFUSED)
        case LogUnusable() | LogUnavailable():
            return Explanation(str(error), UNUSABLE)
        case Rejection() | EventLogError() | TaskFailed():
            return Explanation(str(error), REFUSED)
        case InvalidFeature():
            return Explanation(str(error), UNUSABLE)
        case SchemaError():
            return Explanation(f"{error} What to do: {error.todo}", UNUSABLE)
        case FileError():
            return Explanation(str(error), UNUSABLE)
        case sqlite3.Error():
            code = UNUSABLE if is_of_disk(error) else REFUSED
            return Explanation(f"a file in the data directory cannot be used: {reason_of(error)}", code)
        case OSError():
            return Explanation(f"{error.filename or 'the data directory'}: {reason_of(error)}", UNUSABLE)
        case _:
            return None
