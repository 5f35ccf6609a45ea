"""`ledgerpress token`: create, list and revoke API tokens, the credentials of programs."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from ledgerpress import rfc3339
from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption, YesOption
from ledgerpress.cli.printing_and_exit_codes import (
    MISUSED,
    confirm,
    err,
    fail,
    out,
    print_json,
    print_warning,
    progress,
    run,
)
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import installed_features
from ledgerpress.features.tokens.projector_and_queries import Token
from ledgerpress.operator.tokens import create_token, list_tokens, revoke_token

commands = command_group("Create, list and revoke API tokens, the credentials of programs.")

_AFTER: Final = re.compile(r"([1-9][0-9]{0,4})([dh])")
_HOURS: Final = {"d": 24, "h": 1}

ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="The reason, which is recorded permanently.")
]


def _known(scopes: list[str] | None) -> list[str] | None:
    """Return the scopes. Raises `BadParameter` if one is not a permission of LedgerPress or of an installed feature."""
    permissions = installed_features().roles.in_order
    for scope in scopes or ():
        if scope not in permissions:
            raise typer.BadParameter(f"“{scope}” is not one of {', '.join(permissions)}")
    return scopes


@commands.command()
def create(
    name: Annotated[
        str, typer.Argument(help="The name of the token, such as its purpose; the history shows it.")
    ],
    role: Annotated[Role, typer.Option("--role", help="The role of the token.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            callback=_known,
            help="Limit the token to this permission of its role; may be repeated.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="The expiry: 90d, 12h, 2027-01-31, or 2027-01-31T09:00:00+01:00."),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option("--actor", help="The id of the actor that the token acts for; by default, a new actor."),
    ] = None,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Create a token and print its secret. The secret is shown only once: only its hash is stored."""
    expiry = _expiry(expires)
    with progress("Building the views") as report:
        creation = create_token(
            data,
            log,
            name=name,
            role=role,
            scopes=tuple(scopes) if scopes else None,
            expires=expiry,
            actor_id=actor.lower() if actor else None,
            reason=reason,
            progress=report,
            features=installed_features(),
        )
        created = run(creation)
    token = created.token
    if json:
        print_json({**_plain(token), "secret": created.secret})
    else:
        err.print(
            f"Token {token.id} ({token.role}) acts for actor {token.actor_id}. Its secret is not shown again:"
        )
        out.print(created.secret)
    if created.views_behind:
        print_warning(
            "the token is created, but the views are behind the log. Servers accept it as soon as their views have"
            " caught up: see `ledgerpress status`"
        )


@commands.command("list")
def show(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """List all tokens, oldest first, including revoked and expired ones."""
    with progress("Building the views") as report:
        tokens, now = run(list_tokens(data, log, report, features=installed_features()))
    for token in tokens:
        if json:
            print_json({**_plain(token), "state": _state(token, now)})
        else:
            scopes = "" if token.scopes is None else f"  ({', '.join(token.scopes)})"
            out.print(
                f"{token.id}  {_state(token, now):9}  {token.role or '?':8}{scopes}  {token.name or ''}"
            )


@commands.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id; see `ledgerpress token list`.")
    ],
    reason: ReasonOption = None,
    yes: YesOption = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Revoke the token ID immediately, in every process. This cannot be undone, so the command asks.

    Without a terminal it changes nothing, unless --yes is used.
    """
    features, token_id = installed_features(), token_id.lower()
    with progress("Building the views") as report:

        async def ask(token: Token) -> None:
            report.hide("Building the views")
            err.print(f"Token {token.id}: “{token.name or ''}”, role {token.role}, actor {token.actor_id}")
            err.print("Programs that use it are rejected from their next request on. It cannot be restored.")
            await confirm("Revoke it?", if_not="the token was not revoked")

        confirmation = None if yes else ask
        run(revoke_token(data, log, token_id, reason, report, confirm=confirmation, features=features))
    err.print(f"Token {token_id} is revoked.")


def _expiry(value: str | None) -> timedelta | datetime | None:
    """Return the lifetime or the expiry time of the token."""
    if value is None:
        return None
    if match := _AFTER.fullmatch(value):
        return timedelta(hours=int(match[1]) * _HOURS[match[2]])
    try:
        return rfc3339.to_datetime(rfc3339.parse_date_or_time(value))
    except rfc3339.InvalidTime as error:
        fail(
            f"--expires {value!r} is not a time such as 90d, 12h, 2027-01-31 or 2027-01-31T09:00:00+01:00: {error}",
            MISUSED,
        )


def _state(token: Token, now: int) -> str:
    if token.secret_hash is None:
        return "withdrawn"
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "good"


def _optional_time(time: int | None) -> str | None:
    return None if time is None else rfc3339.format_time(time)


def _plain(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "scopes": token.scopes,
        "actorId": token.actor_id,
        "createdAt": rfc3339.format_time(token.created_at),
        "expiresAt": _optional_time(token.expires_at),
        "revokedAt": _optional_time(token.revoked_at),
    }
