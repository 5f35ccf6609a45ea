"""Measure the constants on this machine: logs of several sizes, the rates of one process, and the log engines."""

import hashlib
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ledgerpress.features.registry import all_projectors
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.files.views_directory import ViewsDirectory
from scripts.benchmarks.rebuild import in_fresh_process, make_log
from scripts.scaling import measure_engines, measure_log, measure_node, measure_process
from scripts.scaling.constants import Constants, Machine, OfSize

ROUNDS = 4
BEHIND = 5_000
"""Events that the views are behind at first, to measure the catch-up; fewer for a small log."""


def machine(load: tuple[float, float], *, one_run: bool) -> Machine:
    """Return a description of this machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return Machine(
        processor=names[0] if names else platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        load=load,
        one_run=one_run,
    )


def log_of(events: int, data: Path) -> dict[str, float]:
    """Write a log with `events` events to the new directory `data`, and measure the log and its views.

    The log stays in the directory; the views are deleted.
    """
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    measured: dict[str, float] = {"events": events}
    tell(events, "writing the log")
    in_fresh_process(make_log, data / LOG_FILE, events)
    measured |= in_fresh_process(measure_log.shape, data)
    measured["page_read"] = measure_log.page_read(data)
    measured["log_read"] = in_fresh_process(measure_log.read_log, data)
    tell(events, "building the views")
    measured |= in_fresh_process(measure_log.rebuild, data, events, min(BEHIND, events // 5))
    measured |= in_fresh_process(measure_node.follow, data)
    tell(events, "reading")
    measured |= in_fresh_process(measure_node.read, data)
    measured["copy"] = copy_views(data)
    tell(events, "backup, verify")
    measured["backup"] = in_fresh_process(measure_log.back_up, data)
    measured["verify_log"], measured["verify_log_peak_bytes"] = in_fresh_process(measure_log.check_log, data)
    measured["verify_views"], measured["verify_views_peak_bytes"] = in_fresh_process(
        measure_log.check_views, data
    )
    tell(events, "withdrawal")
    measured["withdrawal"], measured["withdrawal_wal_bytes"] = in_fresh_process(
        measure_log.withdraw_one, data, events // 2
    )
    for file in data.glob("views-*"):
        file.unlink()
    return measured


def appends(logs: Mapping[int, Path]) -> dict[int, dict[str, float]]:
    """Return the appends per second to logs of different sizes, measured in turn; the best round of each log counts."""
    best = {events: {"append_one": 0.0, "append_many": 0.0} for events in logs}
    for again in range(ROUNDS):
        for events, data in logs.items():
            tell(events, "appends")
            single, many = in_fresh_process(measure_log.append, data / LOG_FILE, again)
            best[events]["append_one"] = max(best[events]["append_one"], single)
            best[events]["append_many"] = max(best[events]["append_many"], many)
    return best


def copy_views(data: Path) -> float:
    """Return the wall-clock seconds for copying the views with their checksum, as a joining node does."""
    path = ViewsDirectory(data, all_projectors()).current
    if path is None:
        raise SystemExit("there are no views to copy")
    started = time.perf_counter()
    target, digest = data / "copy", hashlib.sha256()
    with path.open("rb") as source, target.open("wb") as copy:
        while part := source.read(1 << 20):
            digest.update(part)
            copy.write(part)
        copy.flush()
        os.fsync(copy.fileno())
    took = time.perf_counter() - started
    target.unlink()
    return took


def tell(events: int, step: str) -> None:
    """Print the current step."""
    print(f"{time.strftime('%H:%M:%S')} {events:>9,} events: {step}", flush=True)


class Parts:
    """The measurements so far, saved in a file after each part, so that an interrupted run can be resumed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done: dict[str, Any] = msgspec.json.decode(file.read_bytes()) if file.exists() else {}
        self.one_run = not self._done
        """Whether all parts were measured in this run."""

    def part(self, name: str, work: Callable[[], object]) -> Any:
        """Return the result of `work`, or its result in an interrupted run."""
        if name not in self._done:
            load = round(os.getloadavg()[0], 2)
            self._done[name] = {"load": load, "found": msgspec.to_builtins(work(), str_keys=True)}
            self._file.write_bytes(msgspec.json.encode(self._done))
        return self._done[name]["found"]

    @property
    def load(self) -> tuple[float, float]:
        """The minimum and the maximum of the load averages before each part."""
        loads = [part["load"] for part in self._done.values()]
        return min(loads), max(loads)


def measure(sizes: Sequence[int], folder: Path) -> Constants:
    """Measure everything in `folder`. If the run is interrupted, the next run with the same folder resumes it."""
    parts = Parts(folder / "parts.json")
    print(f"{time.strftime('%H:%M:%S')} engines", flush=True)
    engines = parts.part("engines", lambda: in_fresh_process(measure_engines.measure, folder))
    print(f"{time.strftime('%H:%M:%S')} one process", flush=True)
    rates = parts.part("one process", lambda: in_fresh_process(measure_process.rates, folder))
    logs = {events: folder / f"log-{events}" for events in sorted(sizes)}
    by_size = {
        events: parts.part(f"log of {events}", partial(log_of, events, data)) for events, data in logs.items()
    }
    appended = parts.part("appends", lambda: appends(logs))
    types = OfSize.__annotations__
    measured = [
        {name: types[name](value) for name, value in (by_size[events] | appended[str(events)]).items()}
        for events in logs
    ]
    return msgspec.convert(
        {
            "machine": msgspec.to_builtins(machine(parts.load, one_run=parts.one_run)),
            "sizes": measured,
            "rates": rates,
            "engines": engines,
        },
        Constants,
    )
