"""The write of a probe: an engine attempts it to find out whether it accepts writes, and rolls it back."""

import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from ledgerpress.eventlog.envelope import MAX_PAYLOAD_BYTES, SALT_BYTES, NewEvent, SealedPayload
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite

_STREAM: Final = "probe"


def probe_writes() -> Sequence[StreamWrite]:
    """Return a write of one event of the largest size, of random bytes, because engines compress payloads."""
    id_ = str(uuid.uuid4())  # noqa: TID251 - is never recorded
    payload = SealedPayload("probe", secrets.token_bytes(MAX_PAYLOAD_BYTES), secrets.token_bytes(SALT_BYTES))
    event = NewEvent(
        event_id=id_,
        type="probe.written",
        schema_version=1,
        recorded_at=0,
        actor_id=id_,
        command_id=id_,
        correlation_id=id_,
        payload=payload,
    )
    return [StreamWrite(_STREAM, NO_STREAM, (event,))]
