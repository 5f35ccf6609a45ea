"""Apply events to views in memory, as the runner and a rebuild do, and detect calls that projectors must avoid."""

import gc
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import CodeType, FrameType
from typing import Any, Final

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.feature import FeatureSet
from ledgerpress.views.files.tables import create_tables
from ledgerpress.views.projection.batch_apply import apply_batch, decode
from ledgerpress.views.projection.checkpoints import Checkpoint

_SQL_FUNCTIONS: Final = ("current_timestamp", "current_date", "current_time", "random")
_MODULES: Final = {
    "time": {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "ctime", "localtime"),
    },
    "posix": {"urandom", "getrandom", "getpid"},
    "nt": {"urandom", "getpid"},
}
_CLASS_METHODS: Final = {"datetime": {"now", "utcnow", "today"}, "date": {"today"}}


class MemoryViews:
    """Views in memory. `close` releases them."""

    def __init__(self, features: FeatureSet) -> None:
        self.forbidden: list[str] = []
        """Clocks and sources of randomness that projectors have used, with the place in the code if it is known."""
        self.db: Final = sqlite3.connect(":memory:", isolation_level=None)
        self._features = features
        self._codec = features.codec()
        create_tables(self.db, features.projectors)
        for name in _SQL_FUNCTIONS:
            self.db.create_function(name, 0, partial(self._forbidden_in_sql, name))

    def _forbidden_in_sql(self, name: str) -> int:
        self.forbidden.append(f"{name} in SQL")
        return 0

    def close(self) -> None:
        self.db.close()

    def apply(self, batch: Sequence[StoredEvent], *, after_rollback: bool = False) -> dict[str, Checkpoint]:
        """Apply a batch in a transaction, and return the checkpoint of each projection.

        With `after_rollback`, apply the batch twice, and roll back the first transaction, as after the failure of
        another event.
        """
        events, undecodable = decode(self._codec, batch)
        if after_rollback:
            self.db.execute("BEGIN")
            apply_batch(self.db, self._features.projectors, events, undecodable)
            self.db.execute("ROLLBACK")
        self.db.execute("BEGIN")
        with _recorded_calls(self.forbidden):
            points = apply_batch(self.db, self._features.projectors, events, undecodable)
        self.db.execute("COMMIT")
        return points


@contextmanager
def _recorded_calls(calls: list[str]) -> Iterator[None]:
    """Within the context, add each call that reads a clock or a source of randomness to `calls`."""
    former, collects = sys.getprofile(), gc.isenabled()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and (name := _forbidden(argument)):
            calls.append(f"{name}() in {_place(frame.f_code, frame.f_lineno)}")

    # Finalizers that the garbage collector runs are not calls of projectors.
    gc.disable()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(former)
        if collects:
            gc.enable()


def _forbidden(function: Any) -> str | None:
    """Return the name of a function if it reads a clock or a source of randomness, otherwise `None`."""
    name, owner = function.__name__, getattr(function, "__self__", None)
    if isinstance(owner, type):
        is_forbidden = any(name in _CLASS_METHODS.get(class_.__name__, ()) for class_ in owner.__mro__)
        return f"{owner.__name__}.{name}" if is_forbidden else None
    module = getattr(owner, "__name__", None)
    if isinstance(module, str) and name in _MODULES.get(module, ()):
        return f"{module}.{name}"
    return f"random.{name}" if type(owner).__module__ in {"random", "_random"} else None


def _place(code: CodeType, line: int) -> str:
    return f"{code.co_filename}:{line}"
