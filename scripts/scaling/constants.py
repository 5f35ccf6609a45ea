"""The measurements in `docs/explanation/figures/constants.json`: numbers of one machine on one day."""

from pathlib import Path
from typing import Final

import msgspec

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
FILE: Final = CHECKOUT / "docs" / "explanation" / "figures" / "constants.json"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine. `load` is the minimum and the maximum of the load averages before each part of the measurement."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    sqlite: str
    measured_on: str
    load: tuple[float, float]
    one_run: bool
    """Whether one run of the script measured everything."""


class OfSize(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of a log with `events` events. Times are seconds of processor time unless stated otherwise."""

    events: int
    posts: int
    publications: int
    """`post.published` events; each creates a version of an article."""
    payload_bytes: int
    log_bytes: int
    log_index_bytes: int
    views_bytes: int
    text_bytes: int
    """The tables of the views with bodies, titles and teasers."""
    rebuild: float
    rebuild_indexes: float
    rebuild_digests: float
    rebuild_peak_bytes: int
    cold_read_bytes: float
    """Bytes read from disk per event in batches of up to 10,000, without the views in the operating system's cache."""
    page_read: float
    """Wall-clock seconds for reading a random page of 4 KB from disk."""
    log_read: float
    """Events that one follower reads through the log's port per second of processor time."""
    follow_batch: float
    """Seconds per event, followed in batches of 500 as a server does."""
    follow_single: float
    """Seconds per event, followed one by one."""
    start: float
    """Wall-clock seconds."""
    resident_bytes: int
    front_page: float
    article_warm: float
    article_cold: float
    """Wall-clock seconds without the views in the operating system's cache."""
    article_cold_read_bytes: float
    append_one: float
    """Appends per second of one client."""
    append_many: float
    """Appends per second of 256 clients."""
    verify_log: float
    verify_log_peak_bytes: int
    verify_views: float
    verify_views_peak_bytes: int
    backup: float
    """Wall-clock seconds."""
    withdrawal: float
    withdrawal_wal_bytes: int
    copy: float
    """Wall-clock seconds for copying the views file with its checksum, as a node does that joins from a views copy."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of one process, per second of its processor time unless stated otherwise."""

    cached: float = msgspec.field(name="kept")
    """Responses from the cache. Files of earlier measurements use the name `kept`."""
    unchanged: float
    """Responses 304 (Not Modified)."""
    uncached: float
    """Executed responses."""
    answer_bytes: int
    cached_response_bytes: float
    """Memory of one cached front page."""
    commands_one: float
    """Complete commands of one editor per wall-clock second: decided, appended and projected, with the response."""
    commands_many: float
    """The same for 64 concurrent editors."""
    command_processor: float
    """Processor seconds per command, with 64 editors."""
    touched: float
    """Processor seconds to find the cached responses that one event invalidates."""
    subscriber: float
    """Processor seconds of one event for each subscriber that receives it."""
    different_subscription: float
    """Processor seconds of any event for each subscription that is different from all others."""


class OnEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The costs of the log on one engine with one server on this machine, in wall-clock time."""

    name: str
    events: int
    """Events in the log before reads and appends are measured."""
    bytes_an_event: float
    append_one: float
    append_many: float
    """Appends per second of 256 clients."""
    several: list[float]
    """The same with the clients distributed over one, two and four publications on the server."""
    read: float
    """Events per second that one follower reads."""
    source: str


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """All measurements that the model uses."""

    machine: Machine
    sizes: list[OfSize]
    rates: Rates
    engines: list[OnEngine]

    def engine(self, name: str) -> OnEngine:
        """Return the measurements of an engine. Raises `StopIteration` if it was not measured."""
        return next(engine for engine in self.engines if engine.name == name)

    @property
    def largest(self) -> OfSize:
        """The measurements of the largest log."""
        return max(self.sizes, key=lambda size: size.events)


def load(file: Path = FILE) -> Constants:
    """Return the saved constants. Raises `OSError`, and `msgspec.DecodeError` if the file is invalid."""
    return msgspec.json.decode(file.read_bytes(), type=Constants)


def save(constants: Constants, file: Path = FILE) -> None:
    """Save the constants."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(constants), indent=2) + b"\n")
