"""`ledgerpress projection`: resume a paused projection, or skip the event at which it failed."""

from typing import Annotated

import typer

from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, LogOption, YesOption
from ledgerpress.cli.printing_and_exit_codes import MISUSED, REFUSED, confirm, err, fail, out, progress, run
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.envelope import Header
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.resume_projection_or_skip_event import resume_projection, skip_event
from ledgerpress.views.projection.checkpoints import Checkpoint

commands = command_group("Resume a paused projection, or skip the event at which it failed.")

NameArgument = Annotated[str, typer.Argument(help="The projection's name; see `ledgerpress status`.")]


@commands.command()
def resume(name: NameArgument, data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG) -> None:
    """Resume the paused projection NAME, after the cause of its failure is fixed."""
    _check_name(name)
    with progress("Following the log") as report:
        point = run(resume_projection(data, log, name, report, features=installed_features()))
    _report(name, point)


@commands.command()
def skip(
    name: NameArgument,
    reason: Annotated[str, typer.Option("--reason", help="The reason, which is recorded permanently.")],
    yes: YesOption = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Let the paused projection NAME skip the event at which it failed. The skip is recorded in the log.

    It cannot be undone, so the command asks. Without a terminal it changes nothing, unless --yes is used.
    """
    _check_name(name)
    request = CommandRequest(reason=reason)
    features = installed_features()
    with progress("Following the log") as report:

        async def ask(skipped_and_error: tuple[Header, str]) -> None:
            report.hide("Following the log")
            skipped, error = skipped_and_error
            err.print(f"Projection {name} is paused at position {skipped.position:,}: {error}")
            err.print(
                f"It would continue without {skipped.type} of {skipped.stream}, now and in every rebuild."
            )
            await confirm("Skip this event?", if_not="nothing was skipped")

        confirmation = None if yes else ask
        event, point = run(
            skip_event(data, log, name, request, report, confirm=confirmation, features=features)
        )
    out.print(f"skipped  position {event.position:,}  {event.type}  {event.stream}")
    _report(name, point)


def _check_name(name: str) -> None:
    names = [projector.name for projector in installed_features().projectors]
    if name not in names:
        fail(f"there is no projection {name}; the projections are {', '.join(names)}", MISUSED)


def _report(name: str, point: Checkpoint) -> None:
    if point.failed_at is not None:
        fail(f"projection {name} is paused again at position {point.failed_at:,}: {point.error}", REFUSED)
    err.print(f"Projection {name} is running again and has reached position {point.position:,}.")
