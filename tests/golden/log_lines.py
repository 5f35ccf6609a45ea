"""The format of the golden log: a line of JSON for each event, with all its bytes."""

import json
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.envelope import StoredEvent

FILE: Final = Path(__file__).with_name("log.jsonl")
EARLIER: Final = sorted(FILE.parent.glob("log-*.jsonl"))
"""The lines of earlier versions of the program. They stay readable."""


def line_of(stored: StoredEvent) -> str:
    """Return the line of an event: its leaf and its payload as text, its salt and its leaf's hash in hex."""
    assert stored.payload
    return json.dumps(
        {
            "leaf": stored.header.leaf().decode("ascii"),
            "leafHash": stored.header.leaf_hash().hex(),
            "encoding": stored.payload.encoding,
            "payload": stored.payload.plaintext.decode("utf-8"),
            "salt": stored.payload.salt.hex(),
        },
        ensure_ascii=False,
    )
