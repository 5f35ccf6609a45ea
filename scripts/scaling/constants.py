"""What was measured, as it is kept in `docs/explanation/figures/constants.json`: numbers of one machine, on one day."""

from pathlib import Path
from typing import Final

import msgspec

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
FILE: Final = CHECKOUT / "docs" / "explanation" / "figures" / "constants.json"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured. `load` is the least and the most load average, taken before each part: what others did."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    sqlite: str
    measured_on: str
    load: tuple[float, float]
    one_run: bool
    """Whether all was measured in one run of the script."""


class OfSize(msgspec.Struct, frozen=True, kw_only=True):
    """What a log of so many events costs. Times are in seconds of processor time, unless it says otherwise."""

    events: int
    posts: int
    publications: int
    """`post.published` events: each makes a version of an article."""
    payload_bytes: int
    log_bytes: int
    log_index_bytes: int
    views_bytes: int
    text_bytes: int
    """Of the views, tables that hold bodies, titles and teasers."""
    rebuild: float
    rebuild_indexes: float
    rebuild_digests: float
    rebuild_peak_bytes: int
    cold_read_bytes: float
    """Bytes read from disk by event, in batches of 10,000 before which the operating system had forgotten the views."""
    page_read: float
    """Seconds by the clock in which the disk gives a page of 4 KB from anywhere."""
    log_read: float
    """Events a second that one follower reads through the log's port."""
    follow_batch: float
    """Seconds an event, followed in batches of 500 as a server does."""
    follow_single: float
    """Seconds an event, followed one by one."""
    start: float
    """By the clock."""
    resident_bytes: int
    front_page: float
    article_warm: float
    article_cold: float
    """By the clock, when the operating system has forgotten the views."""
    article_cold_read_bytes: float
    append_one: float
    """Appends a second of one client."""
    append_many: float
    """Appends a second of 256 clients."""
    verify_log: float
    verify_log_peak_bytes: int
    verify_views: float
    verify_views_peak_bytes: int
    backup: float
    """By the clock."""
    withdrawal: float
    withdrawal_wal_bytes: int
    copy: float
    """Seconds by the clock to copy the views file and take its checksum, as joining from a snapshot does."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does, by second of its processor time, unless the name says otherwise."""

    kept: float
    unchanged: float
    uncached: float
    answer_bytes: int
    kept_answer_bytes: float
    """Memory that one kept front page takes."""
    commands_one: float
    """Whole commands a second of one editor by the clock: decided, appended, projected, answered."""
    commands_many: float
    """The same of 64 editors at once."""
    command_processor: float
    """Processor seconds of a command, with 64 editors."""
    touched: float
    """Seconds of processor time that one event costs the kept answers."""
    subscriber: float
    """Seconds of processor time that one event costs for one subscriber who is told of it."""
    different_subscription: float
    """Seconds of processor time that any event costs for each subscription that asks for something else than the others."""


class OnEngine(msgspec.Struct, frozen=True, kw_only=True):
    """What the log costs on one engine, on this machine, with one server; by the clock."""

    name: str
    events: int
    """What is in the log that is read and appended to."""
    bytes_an_event: float
    append_one: float
    append_many: float
    """Appends a second of 256 clients."""
    several: list[float]
    """The same with one, two and four publications on the server, among which the clients are shared out."""
    read: float
    """Events a second that one follower reads."""
    source: str


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the model knows of the world."""

    machine: Machine
    sizes: list[OfSize]
    rates: Rates
    engines: list[OnEngine]

    def engine(self, name: str) -> OnEngine:
        """Return what was measured of an engine. Raises `StopIteration` where it was not."""
        return next(one for one in self.engines if one.name == name)

    @property
    def largest(self) -> OfSize:
        """The largest log that was measured."""
        return max(self.sizes, key=lambda one: one.events)


def load(file: Path = FILE) -> Constants:
    """Return what is kept. Raises `OSError`, `msgspec.ValidationError`."""
    return msgspec.json.decode(file.read_bytes(), type=Constants)


def save(constants: Constants, file: Path = FILE) -> None:
    """Keep what was measured."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(constants), indent=2) + b"\n")
