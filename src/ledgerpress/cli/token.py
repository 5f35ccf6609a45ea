"""`ledgerpress token`: what programs show in order to be let in."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from ledgerpress.cli.terminal import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    MISUSED,
    REFUSED,
    DataOption,
    JsonOption,
    LogOption,
    err,
    fail,
    out,
    progress,
    run,
)
from ledgerpress.commands.identity import Permission, Role
from ledgerpress.commands.request import CommandRequest
from ledgerpress.features.tokens import queries as tokens
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, new_secret, secret_hash
from ledgerpress.server.store import Store, open_store

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PAGE: Final = 1_000
_AFTER: Final = re.compile(r"([1-9][0-9]{0,4})([dh])")
_HOURS: Final = {"d": 24, "h": 1}

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; it is recorded, and kept.")]


def create(
    name: Annotated[str, typer.Argument(help="What the token is for; people see it in the history.")],
    role: Annotated[Role, typer.Option("--role", help="What it may do.")],
    scopes: Annotated[
        list[Permission] | None,
        typer.Option("--scope", help="Only this, of what the role may do; may be repeated."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="Until when: 90d, 12h, 2027-01-31, or with a time and an offset."),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option("--actor", help="The id of the actor that it acts for; without one, a new actor."),
    ] = None,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Make a token, and print its secret. It is shown this once: nothing of it is kept but a hash."""
    after, until = _expiry(expires)
    with progress("Building the views") as report:
        made, secret = run(
            _create(
                data, log, name, role, tuple(scopes) if scopes else None, after, until, actor, reason, report
            )
        )
    if json:
        out.print(msgspec.json.encode({**_plain(made), "secret": secret}).decode())
        return
    err.print(f"Token {made.id} ({made.role}) acts for actor {made.actor_id}. Its secret is not shown again:")
    out.print(secret)


def show(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """List every token that was ever made, the oldest first."""
    with progress("Building the views") as report:
        found, now = run(_list(data, log, report))
    for token in found:
        if json:
            out.print(msgspec.json.encode({**_plain(token), "state": _state(token, now)}).decode())
        else:
            scopes = "" if token.scopes is None else f"  ({', '.join(token.scopes)})"
            out.print(
                f"{token.id}  {_state(token, now):9}  {token.role or '?':8}{scopes}  {token.name or ''}"
            )


def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id; see `ledgerpress token list`.")
    ],
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Let the token ID work no more, at once and in every process. It cannot be undone."""
    with progress("Building the views") as report:
        run(_revoke(data, log, token_id.lower(), reason, report))
    err.print(f"Token {token_id.lower()} is revoked.")


async def _create(
    data: Path,
    log: str,
    name: str,
    role: Role,
    scopes: tuple[Permission, ...] | None,
    after: timedelta | None,
    until: datetime | None,
    actor: str | None,
    reason: str | None,
    report: Any,
) -> tuple[tokens.Token, str]:
    async with open_store(data, log=log, create=False, progress=report) as store:
        if after is not None:
            until = _EPOCH + timedelta(microseconds=store.clock.now()) + after
        secret = new_secret(store.randomness)
        command = CreateToken(
            name=name,
            role=role,
            scopes=scopes,
            expires_at=None if until is None else (until - _EPOCH) // _MICROSECOND,
            acts_for=actor.lower() if actor else None,
            secret_hash=secret_hash(secret),
        )
        outcome = await store.commands.handle(command, CommandRequest(reason=reason))
        with store.snapshot() as snapshot:
            made = tokens.by_id(snapshot, outcome.subject_id)
        if made is None:
            fail(
                f"token {outcome.subject_id} is made, but the views do not show it: see ledgerpress status",
                REFUSED,
            )
        return made, secret


async def _list(data: Path, log: str, report: Any) -> tuple[list[tokens.Token], int]:
    async with open_store(data, log=log, create=False, progress=report) as store:
        return _all(store), store.clock.now()


def _all(store: Store) -> list[tokens.Token]:
    found: list[tokens.Token] = []
    with store.snapshot() as snapshot:
        while page := tokens.tokens_after(snapshot, found[-1].seq if found else 0, _PAGE):
            found += page
    return found


async def _revoke(data: Path, log: str, token_id: str, reason: str | None, report: Any) -> None:
    async with open_store(data, log=log, create=False, progress=report) as store:
        await store.commands.handle(RevokeToken(token_id=token_id), CommandRequest(reason=reason))


def _expiry(value: str | None) -> tuple[timedelta | None, datetime | None]:
    """Return how long from now, or until when."""
    if value is None:
        return None, None
    if match := _AFTER.fullmatch(value):
        return timedelta(hours=int(match[1]) * _HOURS[match[2]]), None
    try:
        moment = datetime.fromisoformat(value)
        return None, moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        fail(
            f"--expires {value!r} is not a time such as 90d, 12h, 2027-01-31 or 2027-01-31T09:00+01:00",
            MISUSED,
        )


def _state(token: tokens.Token, now: int) -> str:
    if token.secret_hash is None:
        return "withdrawn"
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "good"


def _plain(token: tokens.Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "scopes": token.scopes,
        "actorId": token.actor_id,
        "createdAt": _time(token.created_at),
        "expiresAt": _time(token.expires_at),
        "revokedAt": _time(token.revoked_at),
    }


def _time(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
