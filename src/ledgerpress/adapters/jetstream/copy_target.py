"""A log that is being made of another one, in its stream from the start, whose metadata say that it is not finished.

Every event must come to the sequence that is its position: the first message of each batch says which sequence must be
the last before it. An event that is withdrawn already comes as a message that holds its header alone.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.batched_get import BatchedReads
from ledgerpress.adapters.jetstream.connection import Connection, Denied
from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, RequestRefused
from ledgerpress.adapters.jetstream.lease_register import JetStreamLeaseRegister
from ledgerpress.adapters.jetstream.message_codec import body_of_stored, withdrawn_from
from ledgerpress.adapters.jetstream.payload_erasure import erase
from ledgerpress.adapters.jetstream.publisher import (
    EXPECTED_HEAD,
    MESSAGE_ID,
    Conflict,
    Duplicate,
    Message,
    Publisher,
    Recorded,
    Unclear,
)
from ledgerpress.adapters.jetstream.reader import Reader
from ledgerpress.adapters.jetstream.stream_config import (
    BEING_MADE,
    FORMAT,
    FORMAT_KEY,
    PUBLICATION,
    check,
    find,
    make,
    metadata_of,
)
from ledgerpress.adapters.jetstream.stream_heads import StreamHeads
from ledgerpress.adapters.jetstream.sync_check import look_at_servers
from ledgerpress.adapters.jetstream.url import NatsUrl, SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import (
    EventLogError,
    GapInLog,
    LogExists,
    LogUnavailable,
    LogUnusable,
    WithdrawalUnfinished,
)

NOTE: Final = "ledgerpress.note"
BATCH: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
PATIENCE: Final = 20.0
_PAUSE: Final = 0.2


class JetStreamCopyTarget:
    """A `LogReplica` in one stream."""

    def __init__(self, connection: Connection, names: SubjectNames, publication: str) -> None:
        self._connection = connection
        self._names = names
        self._publication = publication
        self._leader = LeaderRequests(connection, names.stream)
        self._publisher = Publisher(connection)
        self._withdrawals = WithdrawalIndex(self._leader, names)
        self._reader = Reader(
            BatchedReads(connection, names),
            self._leader,
            names,
            self._withdrawals,
            StreamHeads(self._leader, names, self._withdrawals),
            publication,
        )

    @classmethod
    async def open(cls, address: NatsUrl, publication: str) -> "JetStreamCopyTarget":
        """Begin or go on with a copy of the publication's log. Raises `LogExists` and `LogUnusable`."""
        names = SubjectNames(address.publication)
        connection = await Connection.open(address, address.login, f"ledgerpress copy {address.publication}")
        try:
            replicas, _ = await look_at_servers(address, connection)
            leader = LeaderRequests(connection, names.stream)
            info = await find(leader)
            if info is None:
                metadata = {PUBLICATION: publication, FORMAT_KEY: str(FORMAT), BEING_MADE: "true"}
                await make(leader, names, replicas, metadata)
                await JetStreamLeaseRegister(connection, names, replicas).make()
                info = await leader.info()
            check(info, names)
            found = metadata_of(info)
            if BEING_MADE not in found:
                raise LogExists(f"the stream {names.stream} is a log already")
            if found[PUBLICATION] != publication:
                raise LogUnusable(
                    f"the stream {names.stream} is an unfinished copy of the log of another publication, "
                    f"{found[PUBLICATION]}"
                )
            return cls(connection, names, publication)
        except BaseException:
            await connection.close()
            raise

    async def head(self) -> int:
        """Return the position of the last event that is there."""
        return await self._leader.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
        return await self._reader.read(after, limit)

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events`, in batches of which each is recorded as a whole."""
        expected = 1 + await self.head()
        for event in events:
            if event.position != expected:
                raise GapInLog(expected=expected, found=event.position)
            if event.header.publication != self._publication:
                raise EventLogError(f"position {expected}: it belongs to another publication")
            expected += 1
        for batch in _batches(events):
            await self._add(batch)

    async def erase(self, position: int) -> None:
        """Erase the message at `position`, whose withdrawal is there."""
        await self._withdrawals.refresh()
        if self._withdrawals.get(position) is None:
            raise EventLogError(
                f"position {position} cannot be erased: its withdrawal does not hold its header"
            )
        try:
            await erase(self._leader, position)
        except (Denied, RequestRefused, LogUnavailable) as error:
            raise WithdrawalUnfinished(
                f"the payload at position {position} is not erased yet: {error}"
            ) from error

    async def note(self, text: str) -> None:
        """Keep `text` in the stream's metadata."""
        await self._update({NOTE: text})

    async def noted(self) -> str:
        """Return what was noted last."""
        return metadata_of(await self._leader.info()).get(NOTE, "")

    async def finish(self) -> None:
        """Make it a log, with one update of the stream's metadata."""
        await self._update({NOTE: None, BEING_MADE: None})

    async def aclose(self) -> None:
        """Let go of it."""
        await self._connection.close()

    async def _update(self, changed: dict[str, str | None]) -> None:
        info = await self._leader.info()
        metadata: dict[str, str | None] = {**metadata_of(info), **changed}
        kept = {name: value for name, value in metadata.items() if value is not None}
        await self._leader.ask("STREAM.UPDATE", {**info.config, "metadata": kept}, lambda answer: answer)

    async def _add(self, batch: Sequence[StoredEvent]) -> None:
        messages = [
            Message(
                self._names.subject(event.header.stream, withdrawn_from(event)),
                {MESSAGE_ID: event.header.event_id},
                body_of_stored(event),
            )
            for event in batch
        ]
        before = batch[0].position - 1
        messages[0].headers[EXPECTED_HEAD] = str(before)
        give_up = monotonic() + PATIENCE
        while True:
            answer = await self._publisher.publish(messages)
            if isinstance(answer, Recorded):
                return
            # The leader says whether it is there: all of it or nothing.
            head = await self._leader.head()
            if head >= batch[-1].position and await self._is_there(batch[-1]):
                return
            if head != before or isinstance(answer, Duplicate):
                why = (
                    "it is there already"
                    if isinstance(answer, Duplicate)
                    else "somebody else writes to the stream"
                )
                raise EventLogError(f"position {batch[0].position} could not be added: {why}")
            if monotonic() > give_up:
                why = answer.why if isinstance(answer, Unclear) else type(answer).__name__
                raise LogUnavailable(
                    f"position {batch[0].position} could not be added to the log in NATS: {why}"
                )
            await asyncio.sleep(0 if isinstance(answer, Conflict) else _PAUSE)

    async def _is_there(self, event: StoredEvent) -> bool:
        found = await self._reader.read(event.position - 1, 1)
        return bool(found) and found[0].header == event.header


def _batches(events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    batch: list[StoredEvent] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.payload.plaintext) if event.payload is not None else 0
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
