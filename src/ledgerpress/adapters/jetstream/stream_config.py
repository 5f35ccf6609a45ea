"""Creates the stream that contains a publication's log, and verifies its configuration."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from ledgerpress.adapters.jetstream.stream_leader_api import (
    NAME_IN_USE,
    NO_STREAM,
    LeaderRequests,
    RequestRefused,
    StreamInfo,
)
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable

FORMAT: Final = 1
PUBLICATION: Final = "ledgerpress.publication"
FORMAT_KEY: Final = "ledgerpress.format"
UNFINISHED: Final = "ledgerpress.being-made"
"""The metadata key of an unfinished copy."""
DUPLICATE_WINDOW: Final = 600 * 1_000_000_000
"""Nanoseconds for which the server remembers message ids, in memory."""

_NO_PEERS: Final = frozenset({10005, 10074})
_UNLIMITED: Final = ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size")
_MUST_BE: Final[Mapping[str, object]] = {
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "max_age": 0,
    "allow_atomic": True,
    "allow_direct": True,
    "deny_purge": True,
    "allow_rollup_hdrs": False,
}
_MUST_NOT_BE: Final = (
    "sealed",
    "no_ack",
    "republish",
    "mirror",
    "sources",
    "subject_transform",
    "allow_msg_ttl",
    "allow_msg_counter",
    "allow_msg_schedules",
    "subject_delete_marker_ttl",
    "discard_new_per_subject",
)


def configuration(names: SubjectNames, replicas: int, metadata: Mapping[str, str]) -> dict[str, object]:
    """Return the configuration of a new log. It permits deleting messages, since erasure needs it (see the how-to)."""
    return {
        "name": names.stream,
        "subjects": [names.subjects],
        "num_replicas": replicas,
        "duplicate_window": DUPLICATE_WINDOW,
        "max_consumers": -1,
        **dict.fromkeys(_UNLIMITED, -1),
        **_MUST_BE,
        "metadata": dict(metadata),
    }


async def open_stream(
    leader: LeaderRequests, names: SubjectNames, replicas: int, create_as: Callable[[], str] | None
) -> tuple[StreamInfo, str, bool]:
    """Find the stream of a log, or create it for the publication that `create_as` returns.

    Returns the stream's information, the publication's UUID, and whether the stream was created now. Raises
    `LogUnusable` if there is neither a stream nor `create_as`, or if the stream cannot be used as a log.
    """
    info = await find_stream(leader)
    created = info is None
    if info is None:
        if create_as is None:
            raise LogUnusable(f"there is no log: the NATS servers have no stream {names.stream}")
        await create_stream(leader, names, replicas, {PUBLICATION: create_as(), FORMAT_KEY: str(FORMAT)})
        info = await find_stream(leader)
        if info is None:
            raise LogUnavailable(
                f"the stream {names.stream} was created, but the NATS servers do not report it yet"
            )
    return info, publication_of(info, names), created


def publication_of(info: StreamInfo, names: SubjectNames) -> str:
    """Return the UUID of the publication whose log is in the stream.

    Raises `LogUnusable` if the stream cannot be used as a log, or contains an unfinished copy.
    """
    check_config(info, names)
    metadata = metadata_of(info)
    if UNFINISHED in metadata:
        raise LogUnusable(
            f"the stream {names.stream} contains an unfinished copy of a log: continue it with `ledgerpress log copy`"
        )
    return metadata[PUBLICATION]


async def find_stream(leader: LeaderRequests) -> StreamInfo | None:
    """Return the stream's information, `None` if it does not exist."""
    try:
        return await leader.info()
    except RequestRefused as error:
        if error.code == NO_STREAM:
            return None
        raise


async def create_stream(
    leader: LeaderRequests, names: SubjectNames, replicas: int, metadata: Mapping[str, str]
) -> None:
    """Create the stream, unless another node creates it at the same time. Raises `LogUnusable`."""
    try:
        await leader.send_request("STREAM.CREATE", configuration(names, replicas, metadata))
    except RequestRefused as error:
        if error.code in _NO_PEERS:
            raise LogUnusable(
                f"the log cannot be created with {replicas} replicas: {error}. Start more servers, or set replicas=1"
            ) from error
        if error.code != NAME_IN_USE:
            raise LogUnusable(f"the stream {names.stream} cannot be created: {error}") from error
        await asyncio.sleep(0)


def check_config(info: StreamInfo, names: SubjectNames) -> None:
    """Raise `LogUnusable` unless the stream has the configuration of a log."""
    config = info.config
    problems = [
        f"{name} is {config.get(name)!r} and must be {value!r}"
        for name, value in _MUST_BE.items()
        if config.get(name, False if value is False else None) != value
    ]
    problems += [
        f"{name} is {config[name]!r} and must be -1" for name in _UNLIMITED if config.get(name, -1) != -1
    ]
    problems += [f"{name} must not be set" for name in _MUST_NOT_BE if config.get(name)]
    if config.get("persist_mode", "default") != "default":
        problems.append("persist_mode must be default")
    window = config.get("duplicate_window")
    if not isinstance(window, int) or window < DUPLICATE_WINDOW:
        problems.append(
            f"duplicate_window is {window!r} and must be at least {DUPLICATE_WINDOW} (10 minutes)"
        )
    if config.get("subjects") != [names.subjects]:
        problems.append(f"its subjects must be {names.subjects}")
    metadata = metadata_of(info)
    if PUBLICATION not in metadata:
        problems.append("its metadata does not contain a publication")
    elif not metadata.get(FORMAT_KEY, "").isdecimal() or int(metadata[FORMAT_KEY]) > FORMAT:
        problems.append("it was written by a newer LedgerPress")
    if problems:
        raise LogUnusable(f"the stream {names.stream} cannot be used as a log: {'; '.join(problems)}")


async def damage_of(
    info: StreamInfo, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex
) -> str | None:
    """Return how the log is damaged: a message is missing whose event was not withdrawn. `None` if it is complete."""
    if info.state.messages == info.state.last_seq:
        return None
    for position in await leader.deleted():
        if await withdrawals.find(position) is None:
            return (
                f"the log in the stream {names.stream} is damaged: the event at position {position} is missing and was "
                "not withdrawn. It was deleted or purged, or the NATS server lost it; restore the stream from a backup"
            )
    return None


def metadata_of(info: StreamInfo) -> dict[str, str]:
    metadata = info.config.get("metadata")
    return {str(name): str(value) for name, value in metadata.items()} if isinstance(metadata, dict) else {}
