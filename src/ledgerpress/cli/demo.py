"""`ledgerpress demo`: a small newsroom with three weeks of history."""

from pathlib import Path

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import UNUSABLE, err, fail, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.demo import is_demo, load_demo_into
from ledgerpress.server.log_url import LogUrl


def demo(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG) -> None:
    """Create a store with the demo newsroom, in a new or empty directory or at a --log URL that has no log yet."""
    url = LogUrl.parse(log)
    if load(data, url):
        place, log_option = (str(data), "") if url.is_local else (str(url), " --log URL")
        err.print(
            f"The demo newsroom is in {place}; serve it with: ledgerpress serve --data {data}{log_option}"
        )
    elif url.is_local:
        fail(
            f"there is already a store in {data}: name a new or empty directory for the demo (--data)",
            UNUSABLE,
        )
    else:
        fail(f"there is already a log at {url}: use a new publication for the demo in the URL", UNUSABLE)


def load(data: Path, url: LogUrl, *, log_timeout: float = 0.0) -> bool:
    """Load the demo newsroom and show the progress; return `False` if there is already a store."""
    with progress("Writing the demo newsroom") as report:
        return run(load_demo_into(data, url, report, features=installed_features(), log_timeout=log_timeout))


def is_in(data: Path, url: LogUrl) -> bool:
    """Return whether the existing store began as the demo newsroom."""
    return run(is_demo(data, url, features=installed_features()))
