"""API tokens: table, projector and queries. Lookups by secret read the current state, all others a snapshot."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.tokens.model import TokenCreated, TokenRevoked
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, at = recorded.position, recorded.header.recorded_at
    match recorded.event:
        case TokenCreated() as token:
            scopes = None if token.scopes is None else msgspec.json.encode(token.scopes).decode()
            names = (token.token_id, token.actor_id, token.name, token.role)
            db.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (position, *names, token.secret_hash, scopes, token.expires_at, at),
            )
        case Withdrawn(type="token.created") as event:
            db.execute(
                "INSERT INTO token (seq, id, created_at) VALUES (?, ?, ?)", (position, event.subject_id, at)
            )
        case TokenRevoked(token_id=token_id):
            _revoke(db, token_id, position, at)
        case Withdrawn(type="token.revoked") as event:
            _revoke(db, event.subject_id, position, at)
        case _:
            pass


def _revoke(db: sqlite3.Connection, token_id: str, position: int, at: int) -> None:
    db.execute("UPDATE token SET revoked_pos = ?, revoked_at = ? WHERE id = ?", (position, at, token_id))


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    db.execute("DELETE FROM token WHERE id = ?", (stream.removeprefix("token."),))


# One row for each token. If a token's creation was withdrawn, it has no hash, so no secret matches it.
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
    delete_rows={"token": _delete_rows},
)


_COLUMNS: Final = f"""seq, id, actor_id, name, role, scopes, expires_at,
    {corrected_sql("created_at", "seq", ":now")}, revoked_pos, {corrected_sql("revoked_at", "revoked_pos", ":now")},
    secret_hash"""


_PRESENTED: Final = """
    SELECT id, actor_id, role, scopes, expires_at, secret_hash, revoked_pos FROM token WHERE secret_hash = ?
"""
ReadLatest: TypeAlias = Callable[[str, tuple[str, ...]], tuple[Any, ...] | None]
"""Returns the first row of a query on the views as of their last commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token; `seq` is the position at which it was created. Times are in microseconds since 1970, UTC.

    If its creation was withdrawn, its actor, name and role are `None`, and it does not work.
    """

    seq: int
    id: str
    actor_id: str | None
    name: str | None
    role: str | None
    scopes: tuple[str, ...] | None
    expires_at: int | None
    created_at: int
    revoked_at: int | None
    secret_hash: str | None

    @property
    def version(self) -> int:
        return 1 if self.revoked_at is None else 2


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """What authentication needs of a token."""

    id: str
    actor_id: str | None
    role: str | None
    scopes: str | None
    expires_at: int | None

    @property
    def scope_names(self) -> tuple[str, ...] | None:
        return None if self.scopes is None else tuple(msgspec.json.decode(self.scopes, type=list[str]))


def by_secret_hash(read: ReadLatest, secret_hash: str) -> tuple[PresentedToken, str | None, bool] | None:
    """Return a token by the SHA-256 of its secret, in hex, with the stored hash and whether it was revoked.

    The result is the current state of the views, so a revocation takes effect at once.
    """
    row = read(_PRESENTED, (secret_hash,))
    return (PresentedToken(*row[:5]), row[5], row[6] is not None) if row else None


def ended(snapshot: Snapshot, token_ids: Collection[str]) -> dict[str, int]:
    """Return those of `token_ids` that were revoked, with the positions, or whose creation was withdrawn, with 0.

    Like `by_secret_hash`, it reads the current state of the views.
    """
    rows = snapshot.db.execute(
        "SELECT id, coalesce(revoked_pos, 0) FROM token WHERE id IN (SELECT value FROM json_each(?))"
        " AND (revoked_pos IS NOT NULL OR secret_hash IS NULL)",
        (msgspec.json.encode(list(token_ids)).decode(),),
    )
    return dict(rows.fetchall())


def by_id(snapshot: Snapshot, token_id: str) -> Token | None:
    row = snapshot.db.execute(
        f"SELECT {_COLUMNS} FROM token WHERE id = :id AND seq <= :now",  # noqa: S608
        {"id": token_id, "now": snapshot.position},
    ).fetchone()
    return _token(row, snapshot.position) if row else None


def tokens_after(snapshot: Snapshot, seq: int, limit: int) -> Sequence[Token]:
    """Return up to `limit` tokens created after the position `seq`, in order of creation."""
    rows = snapshot.db.execute(
        f"SELECT {_COLUMNS} FROM token WHERE seq > :seq AND seq <= :now ORDER BY seq LIMIT :limit",  # noqa: S608
        {"seq": seq, "now": snapshot.position, "limit": limit},
    )
    return [_token(row, snapshot.position) for row in rows.fetchall()]


def of_actor(snapshot: Snapshot, actor_id: str) -> Sequence[Token]:
    """Return all tokens that act for an actor, in order of creation."""
    rows = snapshot.db.execute(
        f"SELECT {_COLUMNS} FROM token WHERE actor_id = :actor AND seq <= :now ORDER BY seq",  # noqa: S608
        {"actor": actor_id, "now": snapshot.position},
    )
    return [_token(row, snapshot.position) for row in rows.fetchall()]


def count_tokens(snapshot: Snapshot) -> int:
    """Return the number of all tokens ever created, as of the snapshot."""
    row = snapshot.db.execute("SELECT count(*) FROM token WHERE seq <= ?", (snapshot.position,)).fetchone()
    return int(row[0])


def any_with_role(snapshot: Snapshot, role: str) -> bool:
    """Return whether a token with that role was ever created. A token whose creation was withdrawn counts, too."""
    row = snapshot.db.execute(
        "SELECT 1 FROM token WHERE (role = ? OR role IS NULL) AND seq <= ? LIMIT 1", (role, snapshot.position)
    ).fetchone()
    return row is not None


def _token(row: tuple[Any, ...], position: int) -> Token:
    """Return the token in a row, as of `position`."""
    seq, id_, actor_id, name, role, scopes, expires_at, created_at, revoked_pos, revoked_at, secret_hash = row
    is_revoked = revoked_pos is not None and revoked_pos <= position
    return Token(
        seq=seq,
        id=id_,
        actor_id=actor_id,
        name=name,
        role=role,
        scopes=None if scopes is None else tuple(msgspec.json.decode(scopes, type=list[str])),
        expires_at=expires_at,
        created_at=created_at,
        revoked_at=revoked_at if is_revoked else None,
        secret_hash=secret_hash,
    )
