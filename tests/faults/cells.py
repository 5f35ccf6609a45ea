"""What a server does when a part of its log fails: each fact once, for the tests and for docs/reference/faults.md.

A fault happens to one engine. A cell is a fault at one moment. `tests.faults.runner` creates the fault with real
components and compares. `python -m tests.faults.table` prints the table of the documentation.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Engine: TypeAlias = Literal["SQLite", "PostgreSQL", "JetStream"]
Moment: TypeAlias = Literal["start", "read", "write", "stop"]
MOMENTS: Final[tuple[Moment, ...]] = ("start", "read", "write", "stop")

Outcome: TypeAlias = Literal[
    "LOG_UNAVAILABLE",
    "APPEND_UNRESOLVED",
    "recorded",
    "views",
    "starts",
    "waits",
    "exit 3",
    "exit 0",
]
OUTCOMES: Final[dict[Outcome, str]] = {
    "LOG_UNAVAILABLE": "`LOG_UNAVAILABLE`, status 503",
    "APPEND_UNRESOLVED": "`APPEND_UNRESOLVED`, status 294",
    "recorded": "is recorded",
    "views": "is answered from the views",
    "starts": "starts",
    "waits": "waits for `server.log_wait_seconds`, then exit code 3",
    "exit 3": "exit code 3",
    "exit 0": "ends in time, exit code 0",
}
"""The text of each outcome in the documentation."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of an engine, and how a server and its operators notice it.

    `readiness` is the status in `/health/ready` after a request has met the fault, and `failing` the operations that
    the metric `ledgerpress_log_failing` then reports. `message` is part of the logged message. `noticed_by` is the
    first request, or the health check, that meets the fault.
    """

    engine: Engine
    name: str
    cause: str
    readiness: Literal["failing", "behind", "replaced"]
    failing: tuple[Literal["read", "write"], ...]
    message: str
    noticed_by: Literal["check", "write"]
    recovery: Literal["by itself", "restart the server", "restart NATS"]
    start: Outcome
    read: Outcome
    write: Outcome
    stop: Outcome = "exit 0"
    holds_threads: bool = False
    """Whether the fault is caused by a tracer that holds a thread of the server, even while the process ends."""
    continuous: tuple[Moment, ...] = ()
    """The moments that the continuous integration runs; `scripts/bench faults` runs all."""


_BOTH: Final = ("read", "write")

FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        engine="SQLite", name="disk full", cause="the file system of the log has no free space",
        readiness="failing", failing=("write",), message="the disk is full", noticed_by="write",
        recovery="by itself", start="exit 3", read="views", write="LOG_UNAVAILABLE", continuous=("write",),
    ),
    Fault(
        engine="SQLite", name="lock held", cause="another process holds the write lock of the file",
        readiness="failing", failing=("write",), message="another process has locked the file", noticed_by="write",
        recovery="by itself", start="waits", read="views", write="LOG_UNAVAILABLE",
        continuous=("start", "write", "stop"),
    ),
    Fault(
        engine="SQLite", name="read-only", cause="the file system becomes read-only",
        readiness="failing", failing=("write",), message="the disk is full or failed", noticed_by="write",
        recovery="by itself", start="exit 3", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="SQLite", name="damaged", cause="pages of the file are overwritten",
        readiness="behind", failing=_BOTH, message="is damaged", noticed_by="write",
        recovery="restart the server", start="exit 3", read="views", write="LOG_UNAVAILABLE", continuous=("write",),
    ),
    Fault(
        engine="SQLite", name="slow", cause="the disk does not sync",
        readiness="failing", failing=("write",), message="the log has not answered for", noticed_by="write",
        recovery="by itself", start="starts", read="views", write="APPEND_UNRESOLVED", holds_threads=True,
        continuous=("stop",),
    ),
    Fault(
        engine="SQLite", name="gone", cause="the file is deleted",
        readiness="replaced", failing=_BOTH, message="is no longer the file that was opened", noticed_by="check",
        recovery="restart the server", start="exit 3", read="LOG_UNAVAILABLE", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="PostgreSQL", name="disk full", cause="the tablespace of the events has no free space (53100)",
        readiness="failing", failing=("write",), message="No space left on device", noticed_by="write",
        recovery="by itself", start="starts", read="views", write="LOG_UNAVAILABLE", continuous=("write",),
    ),
    Fault(
        engine="PostgreSQL", name="lock held", cause="another session has locked the table of the events",
        readiness="failing", failing=("write",), message="lock timeout", noticed_by="write",
        recovery="by itself", start="starts", read="views", write="LOG_UNAVAILABLE", continuous=("write", "stop"),
    ),
    Fault(
        engine="PostgreSQL", name="read-only", cause="`default_transaction_read_only` is on",
        readiness="failing", failing=("write",), message="accepts no writes now", noticed_by="write",
        recovery="by itself", start="waits", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="PostgreSQL", name="damaged", cause="pages of the table are overwritten",
        readiness="behind", failing=_BOTH, message="reports damaged data", noticed_by="check",
        recovery="restart the server", start="exit 3", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="PostgreSQL", name="slow", cause="a synchronous replica does not confirm commits",
        readiness="failing", failing=("write",), message="the log has not answered for", noticed_by="write",
        recovery="by itself", start="starts", read="views", write="APPEND_UNRESOLVED",
    ),
    Fault(
        engine="PostgreSQL", name="gone", cause="the server is stopped",
        readiness="behind", failing=_BOTH, message="cannot be reached", noticed_by="check",
        recovery="by itself", start="waits", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="JetStream", name="disk full", cause="the file system of the NATS server has no free space",
        readiness="failing", failing=("write",), message="its disk is full or failed", noticed_by="write",
        recovery="restart NATS", start="starts", read="views", write="LOG_UNAVAILABLE", continuous=("write",),
    ),
    Fault(
        engine="JetStream", name="read-only", cause="the file system of the NATS server becomes read-only",
        readiness="failing", failing=("write",), message="its disk is full or failed", noticed_by="write",
        recovery="restart NATS", start="starts", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="JetStream", name="damaged", cause="the message blocks are overwritten, and NATS is restarted",
        readiness="behind", failing=_BOTH, message="is damaged", noticed_by="check",
        recovery="restart the server", start="exit 3", read="views", write="LOG_UNAVAILABLE",
    ),
    Fault(
        engine="JetStream", name="slow", cause="the NATS server hangs with open connections",
        readiness="behind", failing=_BOTH, message="cannot be reached", noticed_by="check",
        recovery="by itself", start="waits", read="views", write="LOG_UNAVAILABLE", continuous=("read", "stop"),
    ),
    Fault(
        engine="JetStream", name="gone", cause="the NATS server is stopped",
        readiness="behind", failing=_BOTH, message="cannot be reached", noticed_by="check",
        recovery="by itself", start="waits", read="views", write="LOG_UNAVAILABLE",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault at one moment."""

    fault: Fault
    moment: Moment

    @property
    def outcome(self) -> Outcome:
        """What happens at this moment."""
        outcome: Outcome = getattr(self.fault, self.moment)
        return outcome

    def __str__(self) -> str:
        return f"{self.fault.engine}, {self.fault.name}, {self.moment}"


CELLS: Final = tuple(Cell(fault, moment) for fault in FAULTS for moment in MOMENTS)
CONTINUOUS_CELLS: Final = tuple(cell for cell in CELLS if cell.moment in cell.fault.continuous)
