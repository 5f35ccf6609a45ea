"""Metrics of the files of a node: their sizes, and the free space where they are."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from ledgerpress.http.health.metrics import Metrics
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.store import Store
from ledgerpress.sqlite.connection import write_ahead_log


class StorageMetrics:
    """The files of one node. The log is one of them only if it is a SQLite file."""

    def __init__(self, store: Store, data: Path, log: str) -> None:
        url = LogUrl.parse(log)
        self._store = store
        self._log = url.file(data / LOG_FILE) if url.engine == "sqlite" else None

    def register(self, metrics: Metrics) -> None:
        """Add the metrics."""
        metrics.watch(
            "file_bytes",
            "Sizes of the log and the views files, and of their write-ahead logs (wal).",
            self._sizes,
            label="file",
            aggregate="max",
        )
        metrics.watch(
            "disk_free_bytes",
            "Free space for the log and for the views; on one file system, it is the same space.",
            self._free,
            label="directory",
            aggregate="min",
        )

    def _files(self) -> dict[str, Path]:
        files = {"log": self._log} if self._log else {}
        return {**files, "views": self._store.views.path}

    def _sizes(self) -> Mapping[str, float]:
        sizes = {}
        for name, file in self._files().items():
            sizes[name] = _size(file)
            sizes[f"{name}_wal"] = _size(write_ahead_log(file))
        return sizes

    def _free(self) -> Mapping[str, float]:
        free = {}
        for name, file in self._files().items():
            try:
                free[name] = float(shutil.disk_usage(file.parent).free)
            except OSError:  # the file system is not reachable: there is no value
                continue
        return free


def _size(file: Path) -> float:
    try:
        return float(file.stat().st_size)
    except OSError:
        return 0.0
