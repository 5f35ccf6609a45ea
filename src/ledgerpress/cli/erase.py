"""`ledgerpress erase`: erase everything of a post or of a person permanently."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from ledgerpress import rfc3339
from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    DataOption,
    LogOption,
    YesOption,
    log_url_or_file,
)
from ledgerpress.cli.printing_and_exit_codes import MISUSED, confirm, err, fail, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.operator import erase as task
from ledgerpress.operator.log_copy import place_of
from ledgerpress.server.log_url import ENGINES, LogUrl

commands = command_group("Erase everything of a post or of a person permanently.")

_MOST_LINES: Final = 200
"""The number of events that are listed."""

ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", help="The reason. It is stored permanently: do not repeat the erased text in it."
    ),
]
PreviewOption = Annotated[
    bool, typer.Option("--preview", help="Show what would be erased, and change nothing.")
]
AlsoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar="FILE|URL",
        help="A backup or a copy of the log, in which the same is erased: a file, or the URL of a log. May be "
        "repeated. @FILE reads the URL from a file.",
    ),
]


@commands.command()
def post(
    name: Annotated[
        str, typer.Argument(metavar="POST", help="A current or former slug of the post, or its id.")
    ],
    reason: ReasonOption,
    preview: PreviewOption = False,
    yes: YesOption = False,
    also: AlsoOption = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Erase every text of a post: all versions, slugs, corrections and reasons. There is no undo.

    Shows what would be erased, and asks. Without a terminal it changes nothing, unless --yes is used. An interrupted
    run can be repeated.
    """
    _erase(task.Kind.POST, name, reason, also or (), data, log, preview=preview, yes=yes)


@commands.command()
def person(
    person_id: Annotated[str, typer.Argument(metavar="PERSON_ID", help="The id of an author or an actor.")],
    reason: ReasonOption,
    preview: PreviewOption = False,
    yes: YesOption = False,
    also: AlsoOption = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Erase the names of an author or an actor, and of the actor's revoked or expired tokens. There is no undo.

    Shows what would be erased, and asks. Without a terminal it changes nothing, unless --yes is used. An interrupted
    run can be repeated. Mentions of the person in other texts are not found.
    """
    _erase(task.Kind.PERSON, person_id, reason, also or (), data, log, preview=preview, yes=yes)


def _erase(
    kind: task.Kind,
    name: str,
    reason: str,
    also: Sequence[str],
    data: Path,
    log: str,
    *,
    preview: bool,
    yes: bool,
) -> None:
    features, copies = installed_features(), [_copy(text) for text in also]
    own = place_of(LogUrl.parse(log), data)
    if any(place_of(copy, data) == own for copy in copies):
        fail("--also names the log itself: name backups and copies of it", MISUSED)
    if preview:
        with progress("Building the views") as report:
            erasure = run(
                task.preview_erasure(
                    data, kind, name, reason, also=copies, log=log, features=features, progress=report
                )
            )
        _show(kind, erasure)
        return
    with progress("Erasing" if yes else "Building the views") as report:

        async def ask(erasure: task.Erasure) -> None:
            report.hide("Erasing")
            _show(kind, erasure)
            await confirm("Erase this permanently?", if_not="nothing was erased")

        confirmation = None if yes else ask
        erasing = task.erase(
            data,
            kind,
            name,
            reason,
            also=copies,
            log=log,
            features=features,
            progress=report,
            confirm=confirmation,
        )
        erased = run(erasing)
    err.print(
        f"The payloads of {erased.events:,} events of the {kind} {erased.id} are erased; the log is at position "
        f"{erased.record:,}."
    )
    for copy in erased.copies:
        err.print(f"{copy.place}: {copy.erased:,} payloads erased, verified up to position {copy.head:,}.")
    err.print("Other backups, copies and exports still contain them: delete them, or repeat with --also.")


def _copy(text: str) -> LogUrl:
    """Return the URL of a copy, which is a URL, `@FILE`, or the path of a file."""
    if text.startswith("@") or text.partition(":")[0] in ENGINES:
        return LogUrl.parse(log_url_or_file(text))
    return LogUrl.parse(f"sqlite:{quote(text)}" if not text.startswith("//") else f"sqlite:{quote(text[1:])}")


def _show(kind: task.Kind, erasure: task.Erasure) -> None:
    new = [event for event in erasure.events if not event.is_withdrawn]
    err.print(
        f"The {kind} {erasure.id} has {len(erasure.events):,} events. {len(new):,} would lose their payload:"
    )
    for event in new[:_MOST_LINES]:
        recorded = rfc3339.to_datetime(event.recorded_at).strftime("%Y-%m-%d %H:%M:%S UTC")
        texts = ", ".join(event.texts) or "no text"
        err.print_parts(
            (f"  {event.position:>11,}  {recorded}  ", "dim"), (f"{event.type:<20} ", ""), (texts, "red")
        )
    if len(new) > _MOST_LINES:
        err.print(f"  … and {len(new) - _MOST_LINES:,} more")
    for sentence in erasure.consequences:
        err.print(sentence)
    for place, count in erasure.copies:
        err.print(f"{place} contains {count:,} of these payloads.")
