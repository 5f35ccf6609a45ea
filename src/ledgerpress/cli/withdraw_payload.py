"""`ledgerpress withdraw`: erase one payload permanently, as the law may require."""

from typing import Annotated, Final

import typer

from ledgerpress import rfc3339
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, MAX_POSITION, DataOption, LogOption, YesOption
from ledgerpress.cli.printing_and_exit_codes import confirm, err, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.grapheme_clusters import shortened
from ledgerpress.operator.withdraw import withdraw as withdraw_payload
from ledgerpress.operator.withdrawal_preview import WithdrawalPreview, withdraw_if_confirmed

_MOST_LINES: Final = 12
"""The number of lines of a text that are shown."""
_MOST_CHARACTERS: Final = 2_000
"""The number of characters of a text that are shown."""
_INDENT: Final = " " * 15
_NO_CORRECTION: Final = "It will no longer show this correction."
_INSTEAD: Final = {
    "post.created": "It will have an empty title and text, and its id in its address.",
    "post.published": _NO_CORRECTION,
    "correction.recorded": _NO_CORRECTION,
}
"""What a public article shows instead of a text, by the type of the event that contains the text."""


def withdraw(
    position: Annotated[
        int,
        typer.Argument(min=1, max=MAX_POSITION, help="The position of the event; see `ledgerpress history`."),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason", help="The reason. It is stored permanently: do not repeat the withdrawn text in it."
        ),
    ],
    yes: YesOption = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Erase the payload of the event at POSITION from the log and the views. Its header stays. There is no undo.

    Shows what would be erased, and asks. Without a terminal it changes nothing, unless --yes is used.
    """
    features = installed_features()
    with progress("Building the views") as report:

        async def ask(preview: WithdrawalPreview) -> None:
            report.hide("Building the views")
            _show(preview)
            await confirm("Erase this permanently?", if_not="nothing was erased")

        record = run(
            withdraw_payload(data, position, reason, log=log, features=features, progress=report)
            if yes
            else withdraw_if_confirmed(
                data, position, reason, ask, log=log, features=features, progress=report
            )
        )
    err.print(f"The payload at position {position:,} is withdrawn; the log is at position {record:,}.")
    err.print("Earlier backups and exports still contain it: delete them and create new ones.")


def _show(preview: WithdrawalPreview) -> None:
    header = preview.header
    subject_id = header.stream.rpartition(".")[2]
    recorded = rfc3339.to_datetime(header.recorded_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    err.print("This event would lose its payload:")
    for label, value in (
        ("position", f"{header.position:,}"),
        ("type", header.type),
        ("stream", header.stream),
        ("recorded", recorded),
        ("actor", preview.actor),
        ("reason", preview.reason),
    ):
        if value:
            err.print_parts((f"  {label:<13}", "dim"), (value, ""))
    for name, value in (preview.fields or {}).items():
        if value is not None and value != subject_id:
            first, *others = _lines(str(value))
            err.print_parts((f"  {name:<12} ", "dim"), (first, "red"))
            for line in others:
                err.print(f"{_INDENT}{line}", style="red")
    for line in _effects(preview):
        err.print(line)


def _lines(text: str) -> list[str]:
    """Return the beginning of a text, without control characters."""
    lines = shortened(text, _MOST_CHARACTERS).rstrip("\n").split("\n")
    harmless = ["".join(char if char.isprintable() else " " for char in line) for line in lines]
    more = len(harmless) - _MOST_LINES
    return [*harmless[:_MOST_LINES], *([f"… and {more:,} more lines"] if more > 0 else [])]


def _effects(preview: WithdrawalPreview) -> list[str]:
    """Return what readers and editors will no longer see."""
    if preview.fields is None:
        return [
            "The payload is already withdrawn. The command only finishes an interrupted withdrawal, if there is one."
        ]
    lines = []
    if preview.public:
        instead = _INSTEAD.get(preview.header.type, "It will show what it had before this event.")
        if "slug" in preview.public and preview.header.type not in _INSTEAD:
            instead = "It will show what it had before this event, and have its id in its address."
        lines.append(
            f"The public article /articles/{preview.slug} shows its {_names(preview.public)} now. {instead}"
        )
    elif preview.shows_correction:
        lines.append(
            f"The public article /articles/{preview.slug} shows the correction that this event recorded, in a later "
            f"wording. {_NO_CORRECTION}"
        )
    elif preview.header.stream.startswith("post."):
        lines.append("No public article shows a text of this event now.")
    if hidden := [name for name in preview.current if name not in preview.public]:
        lines.append(f"Current values that will be lost: {_names(hidden)}.")
    lines.append(
        "The text disappears from the history and from all earlier points in time, on every node. It cannot be "
        "restored, except from backups and exports."
    )
    return lines


def _names(fields: list[str] | tuple[str, ...]) -> str:
    *others, last = fields
    return f"{', '.join(others)} and {last}" if others else last
