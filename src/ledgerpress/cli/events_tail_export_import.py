"""`ledgerpress events`: print, export and import the events of a log as lines of JSON (CloudEvents 1.0)."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec
import typer

from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, MAX_POSITION, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    REFUSED,
    clear_errors,
    err,
    fail,
    out,
    progress,
    reading,
    run,
)
from ledgerpress.cli.rendering.event_lines import print_events
from ledgerpress.eventlog.cloud_events import to_line
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import catch_up
from ledgerpress.server.log_factory import existing_log

commands = command_group("Print, export and import events as lines of JSON (CloudEvents 1.0).")

BATCH: Final = 1_000


@commands.command()
def tail(
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="The number of events to print.")] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep running, and print new events as they are recorded.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Print the latest events: on a terminal for people, otherwise, and with --json, as lines of JSON."""
    show = print_events if out.is_terminal and not json else _print_json
    run(_tail(data, log, count, show, follow=follow))


@commands.command()
def show(
    position: Annotated[int, typer.Argument(min=1, max=MAX_POSITION, help="The position of the event.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Print one event as indented JSON."""
    event = run(_event_at(data, log, position))
    if event is None:
        fail(f"there is no event at position {position:,}", REFUSED)
    _print([msgspec.json.format(to_line(event), indent=2)])


@commands.command("export")
def export_file(
    file: Annotated[
        Path, typer.Argument(help="The file to write, which must not exist; - is standard output.")
    ],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Write all events to FILE, one per line, in the order in which they were recorded, and then an end record."""
    if str(file) == "-":
        run(_export_to(sys.stdout.buffer, data, log, lambda _done, _total: None))
        sys.stdout.buffer.flush()
        return
    with progress("Writing the events") as report, clear_errors():
        file.touch(mode=0o600, exist_ok=False)  # it contains drafts: only the owner may read it
        try:
            written = run(_export(file, data, log, report))
        except BaseException:
            file.unlink()
            raise
    err.print(f"{file} holds {written:,} events.")


async def _export(file: Path, data: Path, log: str, report: Callable[[int, int], None]) -> int:
    try:
        with file.open("wb") as target:
            return await _export_to(target, data, log, report)
    except OSError as error:
        # A failed write, unlike a failed open, does not name the file.
        error.filename = error.filename or str(file)
        raise


async def _export_to(target: BinaryIO, data: Path, log: str, report: Callable[[int, int], None]) -> int:
    from ledgerpress.operator.event_files import export_events  # noqa: PLC0415 - imports every feature

    return await export_events(data, log, target, report)


@commands.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="A file that `ledgerpress events export` wrote; - is standard input."),
    ],
    head: Annotated[
        Path | None,
        typer.Option(
            "--head",
            help="A file with output of `ledgerpress head --json`; the events must extend this head.",
        ),
    ] = None,
    without_end_record: Annotated[
        bool,
        typer.Option(
            "--without-end-record",
            help="Accept a file without an end record, as earlier versions exported it, although it may be incomplete.",
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Check all events in FILE, and create a log of them in a new or empty directory or at a --log URL."""
    from ledgerpress.cli.verify_and_head import read_saved_head  # noqa: PLC0415 - imports every feature
    from ledgerpress.operator.event_files import import_events  # noqa: PLC0415
    from ledgerpress.operator.log_copy import place_of_store  # noqa: PLC0415

    saved_head = read_saved_head(head) if head else None
    with ExitStack() as stack:
        with reading(file):
            source = sys.stdin.buffer if str(file) == "-" else stack.enter_context(file.open("rb"))
        report = stack.enter_context(progress("Checking the events"))
        imported = run(
            import_events(
                source,
                data,
                log=log,
                saved_head=saved_head,
                may_lack_end=without_end_record,
                progress=report,
            )
        )
    place = place_of_store(log, data)
    err.print(
        f"{place} holds {imported.size:,} events, root {imported.root}; the views are built when it is opened."
    )


async def _tail(
    data: Path, url: str, count: int, show: Callable[[Sequence[StoredEvent]], None], *, follow: bool
) -> None:
    async with existing_log(data, url) as log:
        after, head = max(0, await log.head() - count), await log.head()
        while after < head and (batch := await log.read(after, min(BATCH, head - after))):
            show(batch)
            after = batch[-1].position
        if follow:
            async for recorded in catch_up(log, after):
                show(recorded)


async def _event_at(data: Path, url: str, position: int) -> StoredEvent | None:
    async with existing_log(data, url) as log:
        events = await log.read(position - 1, 1)
        return events[0] if events and events[0].position == position else None


def _print_json(events: Sequence[StoredEvent]) -> None:
    _print(map(to_line, events))


def _print(lines: Iterable[bytes]) -> None:
    # Not with `out.print`, which may change the bytes.
    sys.stdout.buffer.writelines(line + b"\n" for line in lines)
    sys.stdout.buffer.flush()
