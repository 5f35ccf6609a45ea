"""`scripts/scale --measure` measures logs and views that are really there, by the parts that a server uses."""

from pathlib import Path

from ledgerpress.compose.data_directory import LOG_FILE
from scripts.benchmarks.rebuild import make_log
from scripts.scaling import log_of_size, node_of_size

EVENTS = 5_000
BEHIND = 1_000


def test_a_small_log_and_its_views_are_measured(tmp_path: Path) -> None:
    make_log(tmp_path / LOG_FILE, EVENTS)
    shape = log_of_size.shape(tmp_path)
    assert 7 < EVENTS / shape["posts"] < 12
    assert 0.99 < shape["log_bytes"] / (tmp_path / LOG_FILE).stat().st_size <= 1.0
    assert shape["payload_bytes"] + shape["log_index_bytes"] < shape["log_bytes"]

    views = log_of_size.rebuild(tmp_path, EVENTS, BEHIND)
    assert 0 < views["text_bytes"] < views["views_bytes"]
    # What is behind can be followed, and is then not behind any more: opening the store has nothing left to do.
    assert all(seconds > 0 for seconds in node_of_size.follow(tmp_path).values())
    found = node_of_size.read(tmp_path)
    assert min(found["article_warm"], found["front_page"], found["start"]) > 0
