"""`ledgerpress clock`: show and confirm the clock, and correct the times that a wrong clock has recorded."""

import re
from typing import Annotated, Final

import typer

from ledgerpress import rfc3339
from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    MAX_POSITION,
    DataOption,
    JsonOption,
    LogOption,
    YesOption,
)
from ledgerpress.cli.printing_and_exit_codes import confirm as ask_on_terminal
from ledgerpress.cli.printing_and_exit_codes import err, out, print_json, progress, run
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.clock_guard import duration, shown
from ledgerpress.features.registry import installed_features
from ledgerpress.operator import clock as task
from ledgerpress.operator.clock import ClockCorrectionPreview, ClockCorrectionRequest, ClockState

commands = command_group("Show and confirm the clock, and correct the times that a wrong clock has recorded.")

_SPAN: Final = re.compile(r"([0-9]{1,10})([dhms])")
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MICROSECONDS: Final = 1_000_000


@commands.command()
def show(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Show the time of the clock, the last recorded time, and all corrections of clocks."""
    with progress("Building the views") as report:
        state = run(task.read_clock_state(data, log, progress=report, features=installed_features()))
    if json:
        print_json(
            {
                "clock": rfc3339.format_time(state.now),
                "lastRecordedTime": rfc3339.format_time(state.last_recorded_time),
                "position": state.head,
                "corrections": [
                    {
                        "position": correction.position,
                        "firstPosition": correction.first,
                        "lastPosition": correction.last,
                        "shift": correction.shift,
                    }
                    for correction in state.corrections
                ],
            }
        )
        return
    _show_state(state)
    for correction in state.corrections:
        out.print(
            f"corrected           positions {correction.first:,} to {correction.last:,}: "
            f"{task.describe_shift(correction.shift)}  (at position {correction.position:,})"
        )


def _show_state(state: ClockState) -> None:
    ahead = state.now - state.last_recorded_time
    out.print(f"clock               {shown(state.now)}")
    out.print(f"last recorded time  {shown(state.last_recorded_time)}  (up to position {state.head:,})")
    out.print(f"difference          {duration(ahead)} {'ahead' if ahead >= 0 else 'behind'}")


@commands.command()
def confirm(
    reason: Annotated[
        str | None, typer.Option("--reason", help="The reason, which is recorded permanently.")
    ] = None,
    yes: YesOption = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Confirm that the clock is right, although it is far ahead of the last recorded time.

    This is recorded in the log, so that every server of the publication records events again.
    """
    features, request = installed_features(), CommandRequest(reason=reason)
    with progress("Building the views") as report:

        async def ask(state: ClockState) -> None:
            report.hide("Building the views")
            _show_state(state)
            await ask_on_terminal("Is the clock right?", if_not="nothing was recorded")

        confirmation = None if yes else ask
        state = run(
            task.confirm_clock(data, log, request, progress=report, confirm=confirmation, features=features)
        )
    err.print(f"The clock, {shown(state.now)}, is confirmed.")


@commands.command()
def correct(
    reason: Annotated[str, typer.Option("--reason", help="The reason, which is recorded permanently.")],
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=1,
            max=MAX_POSITION,
            help="The position of the first event to correct; by default, of the first one recorded after the clock.",
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--to",
            min=1,
            max=MAX_POSITION,
            help="The position of the last event to correct; by default, that of --from, or of the last one in a row "
            "recorded after the clock.",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="The correct time of the first of these events: 2026-11-29T09:00:00Z."),
    ] = None,
    ahead: Annotated[
        str | None, typer.Option("--ahead", help="How far the clock was ahead: 3652d, 2h, 90m or 30s.")
    ] = None,
    behind: Annotated[
        str | None, typer.Option("--behind", help="How far the clock was behind: 365d, 2h, 90m or 30s.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back earlier corrections of these events.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show the effect, and record nothing.")] = False,
    yes: YesOption = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Correct the recorded times of events that were recorded while the clock was wrong. Set the clock first.

    All of them move by the same time. Publication dates that came from the clock move with them. Shows the effect, and
    asks. Without a terminal it records nothing, unless --yes is used.
    """
    wanted = ClockCorrectionRequest(
        first=first, last=last, shift=_shift(time, ahead, behind, undo=undo), time=_time(time)
    )
    features, request = installed_features(), CommandRequest(reason=reason)
    if preview:
        with progress("Building the views") as report:
            effect = run(task.preview_correction(data, log, wanted, progress=report, features=features))
        _show_effect(effect)
        return
    with progress("Building the views") as report:

        async def ask(effect: ClockCorrectionPreview) -> None:
            report.hide("Building the views")
            _show_effect(effect)
            await ask_on_terminal("Record this correction?", if_not="nothing was recorded")

        confirmation = None if yes else ask
        correction = task.correct_clock(
            data, log, wanted, request, progress=report, confirm=confirmation, features=features
        )
        effect, position = run(correction)
    err.print(
        f"The recorded times from position {effect.first:,} to {effect.last:,} are corrected; the log is at position "
        f"{position:,}."
    )


def _shift(time: str | None, ahead: str | None, behind: str | None, *, undo: bool) -> int | None:
    """Return the shift that the options name, in microseconds. Raises `BadParameter` if there are several."""
    if sum([time is not None, ahead is not None, behind is not None, undo]) > 1:
        raise typer.BadParameter("--time, --ahead, --behind and --undo exclude each other: use one of them")
    if undo:
        return 0
    if ahead is not None:
        return -_span("--ahead", ahead)
    return None if behind is None else _span("--behind", behind)


def _span(option: str, text: str) -> int:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{option} {text!r} is not a span of time such as 3652d, 2h, 90m or 30s")
    return int(match[1]) * _SECONDS[match[2]] * _MICROSECONDS


def _time(text: str | None) -> int | None:
    try:
        return None if text is None else rfc3339.parse(text)
    except rfc3339.InvalidTime as error:
        raise typer.BadParameter(
            f"--time {text!r} is not a time such as 2026-11-29T09:00:00Z: {error}"
        ) from None


def _show_effect(effect: ClockCorrectionPreview) -> None:
    count = sum(effect.types.values())
    events = "1 event" if count == 1 else f"{count:,} events"
    out.print(f"{events} would be corrected: {task.describe_shift(effect.shift)}.")
    if effect.before is not None:
        out.print(f"  position {effect.first - 1:,}  {shown(effect.before)}  (not corrected)")
    out.print(
        f"  position {effect.first:,}  {shown(effect.first_times[0])}  →  {shown(effect.first_times[1])}"
    )
    if effect.last != effect.first:
        out.print(
            f"  position {effect.last:,}  {shown(effect.last_times[0])}  →  {shown(effect.last_times[1])}"
        )
    if effect.after is not None:
        out.print(f"  position {effect.last + 1:,}  {shown(effect.after)}  (not corrected)")
    out.print("  " + ", ".join(f"{count:,} {type_}" for type_, count in sorted(effect.types.items())))
    if effect.types.get("token.created"):
        err.print(
            "Expiry times of tokens are not corrected: revoke the tokens that would be valid for too long."
        )
