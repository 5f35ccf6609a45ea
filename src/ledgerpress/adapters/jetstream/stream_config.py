"""The configuration of the server's stream that is a publication's log: created and verified."""

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
"""In the metadata of an unfinished copy."""
DUPLICATE_WINDOW: Final = 600 * 1_000_000_000
"""Nanoseconds for which the server remembers the ids of messages, in memory."""

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
    """Return the configuration of a new log. Deleting messages is permitted: an erasure needs it, see the how-to."""
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
    """Return the stream's information, the publication's UUID, and whether the stream was created just now.

    Raises `LogUnusable`.
    """
    info = await find_stream(leader)
    created = info is None
    if info is None:
        if create_as is None:
            raise LogUnusable(f"there is no stream {names.stream} at the NATS servers, and so no log")
        await create_stream(leader, names, replicas, {PUBLICATION: create_as(), FORMAT_KEY: str(FORMAT)})
        info = await find_stream(leader)
        if info is None:
            raise LogUnavailable(f"the stream {names.stream} was made and is not there yet")
    return info, publication_of(info, names), created


def publication_of(info: StreamInfo, names: SubjectNames) -> str:
    """Return the UUID of the publication whose log the stream is. Raises `LogUnusable`, also for an unfinished copy."""
    check_config(info, names)
    metadata = metadata_of(info)
    if UNFINISHED in metadata:
        raise LogUnusable(
            f"the log in the stream {names.stream} is not finished, a copy in the making: go on with `ledgerpress log copy`"
        )
    return metadata[PUBLICATION]


async def find_stream(leader: LeaderRequests) -> StreamInfo | None:
    """Return the stream's information, `None` if it does not exist."""
    try:
        return await leader.info()
    except RequestRefused as refused:
        if refused.code == NO_STREAM:
            return None
        raise


async def create_stream(
    leader: LeaderRequests, names: SubjectNames, replicas: int, metadata: Mapping[str, str]
) -> None:
    """Create the stream, unless another node does so just now. Raises `LogUnusable`."""
    try:
        await leader.send_request("STREAM.CREATE", configuration(names, replicas, metadata))
    except RequestRefused as refused:
        if refused.code in _NO_PEERS:
            raise LogUnusable(
                f"the log cannot be made with {replicas} replicas: {refused}. Start that many servers, or say replicas=1"
            ) from refused
        if refused.code != NAME_IN_USE:
            raise LogUnusable(f"the stream {names.stream} cannot be made: {refused}") from refused
        await asyncio.sleep(0)


def check_config(info: StreamInfo, names: SubjectNames) -> None:
    """Raise `LogUnusable` unless a stream has the configuration of a log."""
    config = info.config
    wrong = [
        f"{name} is {config.get(name)!r} and must be {value!r}"
        for name, value in _MUST_BE.items()
        if config.get(name, False if value is False else None) != value
    ]
    wrong += [
        f"{name} is {config[name]!r} and must be -1" for name in _UNLIMITED if config.get(name, -1) != -1
    ]
    wrong += [f"{name} must not be set" for name in _MUST_NOT_BE if config.get(name)]
    if config.get("persist_mode", "default") != "default":
        wrong.append("persist_mode must be default")
    window = config.get("duplicate_window")
    if not isinstance(window, int) or window < DUPLICATE_WINDOW:
        wrong.append(f"duplicate_window is {window!r} and must be {DUPLICATE_WINDOW} at least (10 minutes)")
    if config.get("subjects") != [names.subjects]:
        wrong.append(f"its subjects must be {names.subjects}")
    metadata = metadata_of(info)
    if PUBLICATION not in metadata:
        wrong.append("its metadata names no publication")
    elif not metadata.get(FORMAT_KEY, "").isdecimal() or int(metadata[FORMAT_KEY]) > FORMAT:
        wrong.append("it was written by a newer LedgerPress")
    if wrong:
        raise LogUnusable(f"the stream {names.stream} is no log that can be used: {'; '.join(wrong)}")


async def check_complete(
    info: StreamInfo, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex
) -> None:
    """Raise `LogUnusable` if a message is missing that was not withdrawn."""
    if info.state.messages == info.state.last_seq:
        return
    for position in await leader.deleted():
        if await withdrawals.find(position) is None:
            raise LogUnusable(
                f"the log in the stream {names.stream} is damaged: the event at position {position} is not there, and was "
                "not withdrawn. Somebody has deleted or purged it; restore the stream from a backup"
            )


def metadata_of(info: StreamInfo) -> dict[str, str]:
    metadata = info.config.get("metadata")
    return {str(name): str(value) for name, value in metadata.items()} if isinstance(metadata, dict) else {}
