"""A copy of another log in its final stream. The stream's metadata mark the copy as unfinished.

The sequence of every message must equal the position of its event. So the first message of each batch carries the
sequence that must be the last one before it. An event that is already withdrawn becomes a message with only its header.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream import publisher, stream_config
from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, Denied
from ledgerpress.adapters.jetstream.lease_compare_and_set import JetStreamLeaseRegister
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import body_of_stored, withdrawn_from
from ledgerpress.adapters.jetstream.payload_erasure import erase
from ledgerpress.adapters.jetstream.reader import Reader
from ledgerpress.adapters.jetstream.stream_leader_api import RequestRefused
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.sync_check import check_servers
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.copy_target import check_follows
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import (
    EventLogError,
    LogExists,
    LogUnavailable,
    LogUnusable,
    WithdrawalUnfinished,
)

NOTE: Final = "ledgerpress.note"
MAX_BATCH: Final = 500
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
RETRY_TIMEOUT: Final = 20.0
"""Seconds for which a batch is retried."""
_RETRY_DELAY: Final = 0.2


class JetStreamCopyTarget:
    """A `CopyTarget` in one stream."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._leader = stream.leader
        self._publisher = publisher.Publisher(stream.connection)
        self._reader = Reader(stream)

    @classmethod
    async def open(cls, url: NatsUrl, publication: str) -> "JetStreamCopyTarget":
        """Begin or continue a copy of the publication's log.

        Raises `LogExists` if the stream is a finished log. Raises `LogUnusable` if the servers or the stream cannot be
        used, or if the stream contains a copy of another publication's log.
        """
        names = SubjectNames(url.publication)
        connection = await Connection.open(url, url.login, f"ledgerpress copy {url.publication}")
        try:
            replicas, _ = await check_servers(url, connection)
            stream = LogStream(connection, names, publication)
            leader = stream.leader
            info = await stream_config.find_stream(leader)
            if info is None:
                metadata = {
                    stream_config.PUBLICATION: publication,
                    stream_config.FORMAT_KEY: str(stream_config.FORMAT),
                    stream_config.UNFINISHED: "true",
                }
                await stream_config.create_stream(leader, names, replicas, metadata)
                await JetStreamLeaseRegister(connection, names, replicas).create()
                info = await leader.info()
            stream_config.check_config(info, names)
            metadata = stream_config.metadata_of(info)
            if stream_config.UNFINISHED not in metadata:
                raise LogExists(f"the stream {names.stream} already contains a finished log")
            if metadata[stream_config.PUBLICATION] != publication:
                raise LogUnusable(
                    f"the stream {names.stream} contains an unfinished copy of the log of another publication, "
                    f"{metadata[stream_config.PUBLICATION]}"
                )
            return cls(stream)
        except BaseException:
            await connection.close()
            raise

    async def head(self) -> int:
        return await self._leader.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._reader.read(after, limit)

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events` in batches. Each batch is recorded as a whole."""
        check_follows(events, await self.head(), self._stream.publication)
        for batch in _batches(events):
            await self._add(batch)

    async def erase(self, position: int) -> None:
        """Erase the message at `position`, whose withdrawal is recorded."""
        await self._stream.withdrawals.refresh()
        if self._stream.withdrawals.get(position) is None:
            raise EventLogError(
                f"position {position} cannot be erased: no recorded withdrawal contains its header"
            )
        try:
            await erase(self._leader, position)
        except (Denied, RequestRefused, LogUnavailable) as error:
            raise WithdrawalUnfinished(
                f"the payload at position {position} is not erased yet: {error}"
            ) from error

    async def save_note(self, text: str) -> None:
        await self._update_metadata({NOTE: text})

    async def load_note(self) -> str:
        return stream_config.metadata_of(await self._leader.info()).get(NOTE, "")

    async def finish(self) -> None:
        """Turn the copy into a log with one update of the stream's metadata."""
        await self._update_metadata({NOTE: None, stream_config.UNFINISHED: None})

    async def aclose(self) -> None:
        await self._stream.connection.close()

    async def _update_metadata(self, changes: dict[str, str | None]) -> None:
        info = await self._leader.info()
        merged: dict[str, str | None] = {**stream_config.metadata_of(info), **changes}
        metadata = {name: value for name, value in merged.items() if value is not None}
        await self._leader.send_request("STREAM.UPDATE", {**info.config, "metadata": metadata})

    async def _add(self, batch: Sequence[StoredEvent]) -> None:
        messages = [
            publisher.Message(
                self._stream.names.subject(event.header.stream, withdrawn_from(event)),
                {publisher.MESSAGE_ID: event.header.event_id},
                body_of_stored(event),
            )
            for event in batch
        ]
        expected_head = batch[0].position - 1
        messages[0].headers[publisher.EXPECTED_HEAD] = str(expected_head)
        deadline = monotonic() + RETRY_TIMEOUT
        while True:
            answer = await self._publisher.publish(messages)
            if isinstance(answer, publisher.Acknowledgement):
                return
            # The leader knows whether the batch is recorded: completely or not at all.
            head = await self._leader.head()
            if head >= batch[-1].position and await self._is_recorded(batch[-1]):
                return
            if head != expected_head or isinstance(answer, publisher.Duplicate):
                reason = (
                    "the stream already contains one of its ids"
                    if isinstance(answer, publisher.Duplicate)
                    else "another process writes to the stream"
                )
                raise EventLogError(f"position {batch[0].position} could not be added: {reason}")
            if monotonic() > deadline:
                reason = answer.reason if isinstance(answer, publisher.Unclear) else type(answer).__name__
                raise LogUnavailable(
                    f"position {batch[0].position} could not be added to the log in NATS: {reason}"
                )
            await asyncio.sleep(0 if isinstance(answer, publisher.Conflict) else _RETRY_DELAY)

    async def _is_recorded(self, event: StoredEvent) -> bool:
        recorded = await self._reader.read(event.position - 1, 1)
        return bool(recorded) and recorded[0].header == event.header


def _batches(events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    batch: list[StoredEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.payload.plaintext) if event.payload is not None else 0
        if len(batch) == MAX_BATCH or size >= MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
