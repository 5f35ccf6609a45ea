"""API tokens, and from which position to which each was good."""

import sqlite3
from typing import Final

import msgspec

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.tokens.model import TokenCreated, TokenRevoked
from ledgerpress.views.projection.projector_interface import ImmediateProjector


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, at = recorded.position, recorded.header.recorded_at
    match recorded.event:
        case TokenCreated() as made:
            scopes = None if made.scopes is None else msgspec.json.encode(made.scopes).decode()
            db.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (
                    position,
                    made.token_id,
                    made.actor_id,
                    made.name,
                    made.role,
                    made.secret_hash,
                    scopes,
                    made.expires_at,
                    at,
                ),
            )
        case Withdrawn(type="token.created") as gone:
            db.execute(
                "INSERT INTO token (seq, id, created_at) VALUES (?, ?, ?)", (position, gone.subject_id, at)
            )
        case TokenRevoked(token_id=token_id):
            _revoke(db, token_id, position, at)
        case Withdrawn(type="token.revoked") as gone:
            _revoke(db, gone.subject_id, position, at)
        case _:
            pass


def _revoke(db: sqlite3.Connection, token_id: str, position: int, at: int) -> None:
    db.execute("UPDATE token SET revoked_pos = ?, revoked_at = ? WHERE id = ?", (position, at, token_id))


# A row for each token. One whose creation was withdrawn has no hash, so that no secret leads to it.
PROJECTOR: Final = ImmediateProjector(
    name="tokens",
    version=1,
    schema="""
        CREATE TABLE token (
            seq INTEGER PRIMARY KEY,           -- the position at which it was made
            id TEXT NOT NULL UNIQUE,
            actor_id TEXT,                     -- this and the next three are NULL where the creation was withdrawn
            name TEXT,
            role TEXT,
            secret_hash TEXT,                  -- SHA-256, in hex
            scopes TEXT,                       -- a JSON array; NULL for all that the role may do
            expires_at INTEGER,                -- microseconds since 1970, UTC; NULL for never
            created_at INTEGER NOT NULL,       -- when it was recorded
            revoked_pos INTEGER,               -- the position at which it was revoked
            revoked_at INTEGER
        ) STRICT;
    """,
    indexes="""
        CREATE INDEX token_of_secret ON token (secret_hash);
    """,
    events=frozenset({TokenCreated, TokenRevoked, Withdrawn}),
    apply=_apply,
)
