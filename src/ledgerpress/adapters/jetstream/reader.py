"""Reads events in batches from any replica, and compares with the leader so that no event is missed.

A batched direct get is one request for many messages, which any replica may answer (ADR-31 of NATS, and
https://docs.nats.io/reference/reference-protocols/nats_api_reference).

A replica may lag, but a read returns everything that was acknowledged before it began. If the messages end before the
leader's last message, the rest is requested again, and finally message by message from the leader. If the leader does
not have it either, it was deleted from the stream: a gap.

A backup may be restored between two requests. A read that needs several requests therefore starts again if its first
message has changed. So it never returns the events of two logs.
"""

import asyncio
from typing import Final, NamedTuple

import msgspec

from ledgerpress.adapters.jetstream import stream_leader_api
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import Body, header_of, payload_of, read_body
from ledgerpress.adapters.jetstream.stream_heads import StreamHead
from ledgerpress.adapters.jetstream.stream_leader_api import StoredMessage, polls, retry_request
from ledgerpress.eventlog.envelope import Header, StoredEvent
from ledgerpress.eventlog.errors import EventLogError, GapInLog
from ledgerpress.eventlog.kernel_events import withdrawal_stream
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

_LAG_DELAYS: Final = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Seconds before each retry if a replica lags. Then the messages are requested from the leader."""
MAX_MESSAGES: Final = 1_000
"""Messages per request."""
FEW: Final = 2
"""Events that a read requests one by one. With each batch, the server counts the messages after it: in a log with gaps,
by a search of all subjects."""
_END: Final = "204"
_NOTHING: Final = "404"
_SEQUENCE: Final = "Nats-Sequence"
_SUBJECT: Final = "Nats-Subject"
_PENDING: Final = "Nats-Num-Pending"


class ReadMessage(NamedTuple):
    """A decoded message of the log."""

    position: int
    stream: str
    body: Body
    size: int

    @property
    def end(self) -> int:
        """The position of the last message of its command."""
        return self.position + self.body.more


class Reader:
    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._leader = stream.leader
        self._names = stream.names
        self._withdrawals = stream.withdrawals
        self._records: dict[str, StoredEvent] = {}

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events after a position; fewer if they are large.

        Raises `GapInLog` if an event is missing that was not withdrawn.
        """
        if limit <= 0:
            return []
        events = await self._read_few(after, limit) if limit <= FEW else None
        if events is None:
            events = await self._read_many(after, limit)
        for event in events:
            header = event.header
            self._stream.heads.note(header.stream, StreamHead(header.stream_version, header.position))
        return await self._with_records(events)

    async def _read_few(self, after: int, limit: int) -> list[StoredEvent] | None:
        """Return the events at the next positions; `None` if an event is missing that may have been withdrawn."""
        positions = range(after + 1, after + limit + 1)
        answers = await asyncio.gather(*map(self._leader.at, positions))
        stored = [self._of_leader(message) for message in answers if message is not None]
        if limit > 1 and not await self._begins_with(stored):
            return None
        messages = {message.position: message for message in await self._complete_commands(stored)}
        events: list[StoredEvent] = []
        for position in positions:
            if (message := messages.get(position)) is not None:
                self._note_withdrawal(message)
                events.append(self._stored_event(message))
            elif position > await self._leader.head():
                break
            elif (header := self._withdrawals.get(position)) is not None:
                events.append(StoredEvent(header, None))
            else:
                return None
        return events

    async def _read_many(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events after a position, read in batches. Raises `GapInLog`."""
        head = asyncio.ensure_future(self._leader.head())
        try:
            messages = await self._read_up_to(head, after, limit)
        finally:
            head.cancel()
        events: list[StoredEvent] = []
        for message in await self._complete_commands(messages):
            while (missing_position := after + len(events) + 1) < message.position:
                events.append(StoredEvent(await self._withdrawn(missing_position, message.position), None))
            self._note_withdrawal(message)
            events.append(self._stored_event(message))
        return events[:limit]

    async def read_stream(self, stream: str, after: int) -> list[StoredEvent]:
        return await self._read_subjects(stream, after, self._withdrawals.subjects(stream))

    async def _read_subjects(self, stream: str, after: int, subjects: str) -> list[StoredEvent]:
        """Return the events of a stream after a version; `subjects` is a pattern that matches its messages."""
        last = await self._leader.last_of(subjects)
        if last is None:
            return []
        if self._names.stream_of(last.subject) != stream:
            if (complete := await self._read_withdrawn(stream)) is not None:
                return await self._with_records(
                    [event for event in complete if event.header.stream_version > after]
                )
            count = MAX_MESSAGES
        else:
            count = read_body(last.sequence, last.data).stream_version
        events = await self._events_on(subjects, stream, last.sequence, count)
        version = self._missing_version(events, stream)
        if version is not None:
            # The event was erased during the read, and its withdrawal was recorded after these messages.
            async for _ in polls():
                await self._withdrawals.refresh()
                if (version := self._missing_version(events, stream)) is None:
                    break
        if version is not None:
            raise GapInLog(expected=version, actual=max(events))
        return await self._with_records([events[version] for version in sorted(events) if version > after])

    async def _read_withdrawn(self, stream: str) -> list[StoredEvent] | None:
        """Return the events of a stream whose last message is a withdrawal; `None` if not all of them were found.

        A search from the last event to the withdrawal can make the server load all blocks between them, so this reads
        only the subject of the events.
        """
        version, _ = await self._stream.heads.version_and_head(stream)
        subject = self._names.subject(stream)
        last = await self._leader.last_of(subject)
        events: dict[int, StoredEvent] = {}
        if last is not None:
            events = await self._events_on(subject, stream, last.sequence, MAX_MESSAGES)
        if self._missing_version(events, stream) is not None or max(events, default=0) < version:
            return None
        return [events[number] for number in sorted(events)]

    async def _events_on(self, subjects: str, stream: str, last: int, count: int) -> dict[int, StoredEvent]:
        """Return the events of a stream up to the position `last` by version, and note the withdrawals on `subjects`."""
        # The rest of the last command may be in other streams.
        messages = await self._complete_commands(await self._read_subject(subjects, last, count))
        for message in messages:
            self._note_withdrawal(message)
        return {
            message.body.stream_version: self._stored_event(message)
            for message in messages
            if message.stream == stream
        }

    async def _with_records(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """Return `events`, and with each withdrawn event the record of its withdrawal."""
        return [
            event if event.payload is not None else StoredEvent(event.header, None, await self._record(event))
            for event in events
        ]

    async def _record(self, event: StoredEvent) -> StoredEvent | None:
        event_id = event.header.event_id
        if event_id not in self._records:
            stream = withdrawal_stream(event_id)
            subject = self._names.subject(stream, event.header.stream)
            records = await self._read_subjects(stream, 0, subject)
            if not records:
                return None
            self._records[event_id] = records[0]
        return self._records[event_id]

    def _missing_version(self, events: dict[int, StoredEvent], stream: str) -> int | None:
        """Add the withdrawn events in the index to `events`; return the first version that is still missing."""
        for header in self._withdrawals.of_stream(stream):
            events[header.stream_version] = StoredEvent(header, None)
        versions = range(1, max(events, default=0) + 1)
        return next((version for version in versions if version not in events), None)

    async def _read_up_to(self, head: asyncio.Future[int], after: int, limit: int) -> list[ReadMessage]:
        """Return messages after a position: up to the head, or until a limit is reached. Raises `GapInLog`."""
        messages: list[ReadMessage] = []
        size = requests = 0
        delays = iter(_LAG_DELAYS)
        while True:
            last = messages[-1].position if messages else after
            batch, more = await self._request_batch(last, limit - len(messages), MAX_BATCH_BYTES - size)
            requests += 1
            messages += batch
            size += sum([message.size for message in batch])
            if len(messages) >= limit or size >= MAX_BATCH_BYTES:
                break
            if more:
                continue
            last = messages[-1].position if messages else after
            if last >= await head:
                break
            delay = next(delays, None)
            if delay is not None:
                await asyncio.sleep(delay)
            else:
                messages.append(await self._next_of_leader(last))
                size += messages[-1].size
        if requests > 1 and not await self._begins_with(messages):
            return await self._read_up_to(head, after, limit)
        return messages

    async def _next_of_leader(self, last: int) -> ReadMessage:
        """Return the leader's next message after a position before the head. Raises `GapInLog`."""
        async for _ in polls():
            if message := await self._leader.next_of(self._names.subjects, last):
                return self._of_leader(message)
        raise GapInLog(expected=last + 1, actual=None)

    async def _begins_with(self, messages: list[ReadMessage]) -> bool:
        """Return whether the stream still contains the first of these messages."""
        if not messages:
            return True
        message = await self._leader.at(messages[0].position)
        return message is not None and self._of_leader(message) == messages[0]

    async def _read_subject(self, subject: str, last: int, count: int) -> list[ReadMessage]:
        """Return the messages on a subject up to the position `last`.

        Request at most `count` messages at once: to find another one, the server may load all later blocks of the log.
        """
        messages: list[ReadMessage] = []
        requests = 0
        delays = iter(_LAG_DELAYS)
        while not messages or messages[-1].position < last:
            after = messages[-1].position if messages else 0
            batch, _ = await self._request_batch(after, min(last - after, count), MAX_BATCH_BYTES, subject)
            requests += 1
            messages += batch
            if batch:
                continue
            delay = next(delays, None)
            if delay is not None:
                await asyncio.sleep(delay)
            elif message := await self._leader.next_of(subject, after):
                messages.append(self._of_leader(message))
            else:
                break
        if requests > 1 and not await self._begins_with(messages):
            return await self._read_subject(subject, last, count)
        return messages

    async def _complete_commands(self, messages: list[ReadMessage]) -> list[ReadMessage]:
        """Return `messages`, without those of the last command if it is not completely recorded yet."""
        if not messages or not messages[-1].body.more:
            return messages
        end = messages[-1].end
        if end <= await self._leader.head():
            return messages
        return [message for message in messages if message.end != end]

    async def _withdrawn(self, position: int, next_position: int) -> Header:
        header = await self._withdrawals.find(position)
        if header is None:
            raise GapInLog(expected=position, actual=next_position)
        return header

    def _note_withdrawal(self, message: ReadMessage) -> None:
        if message.body.withdraws is not None:
            self._withdrawals.add(message.body.withdraws)

    def _stored_event(self, message: ReadMessage) -> StoredEvent:
        header = header_of(message.body, self._stream.publication, message.position, message.stream)
        if self._withdrawals.get(message.position) is not None:
            return StoredEvent(header, None)
        return StoredEvent(header, payload_of(message.body))

    async def _request_batch(
        self, after: int, limit: int, max_bytes: int, subject: str | None = None
    ) -> tuple[list[ReadMessage], bool]:
        """Return messages after a position, and whether the replica that answered has more.

        Raises `LogUnavailable`.
        """
        request: dict[str, object] = {
            "seq": after + 1,
            "batch": min(limit, MAX_MESSAGES),
            "max_bytes": max_bytes,
        }
        if subject is not None:
            request["next_by_subj"] = subject
        data = msgspec.json.encode(request)
        answers, end = await retry_request(
            self._stream.connection,
            lambda: self._stream.connection.request_batch(
                f"$JS.API.DIRECT.GET.{self._names.stream}", data, timeout=stream_leader_api.REQUEST_TIMEOUT
            ),
            failure="the log in NATS cannot be read",
        )
        if end.get("Status") not in (_END, _NOTHING):
            raise EventLogError(f"the log in NATS cannot be read: {end.get('Description', end)}")
        messages = [
            self._read_message(int(headers[_SEQUENCE]), headers[_SUBJECT], answer.data)
            for answer in answers
            if (headers := answer.headers) is not None
        ]
        return messages, bool(messages) and int(end.get(_PENDING, 0)) > 0

    def _of_leader(self, message: StoredMessage) -> ReadMessage:
        """Decode a message that the leader returned."""
        return self._read_message(message.sequence, message.subject, message.data)

    def _read_message(self, position: int, subject: str, data: bytes) -> ReadMessage:
        return ReadMessage(position, self._names.stream_of(subject), read_body(position, data), len(data))
