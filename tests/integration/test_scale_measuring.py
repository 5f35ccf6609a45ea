"""`scripts/scale --measure` measures real logs and views with the code that a server uses."""

from pathlib import Path

import pytest

from ledgerpress.server.data_directory import LOG_FILE
from scripts.benchmarks.rebuild import make_log
from scripts.scaling import measure_log, measure_node
from scripts.scaling.measurements import Parts

EVENTS = 5_000
BEHIND = 1_000


def test_a_small_log_and_its_views_are_measured(tmp_path: Path) -> None:
    make_log(tmp_path / LOG_FILE, EVENTS)
    shape = measure_log.shape(tmp_path)
    assert 7 < EVENTS / shape["posts"] < 12
    assert 0.99 < shape["log_bytes"] / (tmp_path / LOG_FILE).stat().st_size <= 1.0
    assert shape["payload_bytes"] + shape["log_index_bytes"] < shape["log_bytes"]

    views = measure_log.rebuild(tmp_path, EVENTS, BEHIND)
    assert 0 < views["text_bytes"] < views["views_bytes"]
    # Following applies the remaining events, so that opening the store has nothing left to do.
    assert all(seconds > 0 for seconds in measure_node.follow(tmp_path).values())
    reads = measure_node.read(tmp_path)
    assert min(reads["article_warm"], reads["front_page"], reads["start"]) > 0


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    def fails() -> object:
        raise RuntimeError("no room on the disk")

    first = Parts(tmp_path / "parts.json")
    assert first.part("engines", lambda: {1: 2.5}) == {"1": 2.5}
    with pytest.raises(RuntimeError):
        first.part("log", fails)
    assert first.one_run
    again = Parts(tmp_path / "parts.json")
    assert again.part("engines", fails) == {"1": 2.5}
    assert again.part("log", lambda: 7) == 7
    assert not again.one_run
    least, most = again.load
    assert 0 <= least <= most
