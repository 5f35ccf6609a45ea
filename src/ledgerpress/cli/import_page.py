"""`ledgerpress import page`: import a saved article page with the same commands that editors use."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from ledgerpress import rfc3339
from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    MISUSED,
    REFUSED,
    err,
    fail,
    out,
    print_json,
    progress,
    reading,
    run,
)
from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import (
    NotAnArticlePage,
    PageUnreadable,
    ParsedPage,
    parse_page,
)
from ledgerpress.features.page_import.report import TEXT_DIFFERS, ImportReport
from ledgerpress.features.registry import installed_features
from ledgerpress.features.site.projector_and_queries import site_tzinfo
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.store import open_store

_TEXT_NOT_IMPORTED: Final = (
    "The text of the article was not imported: the store has another text with this headline and date. If it is another"
    ' article, add its date below its headline ("Published on 5 December 2024"); otherwise edit the post in the store.'
)

commands = command_group("Import content.")


@commands.command()
def page(
    file: Annotated[Path, typer.Argument(help="The page, saved as plain text in UTF-8.")],
    retrieved_at: Annotated[
        str,
        typer.Option(
            "--retrieved-at", help="When the page was retrieved: 2024-12-22, or 2024-12-22T09:00:00+01:00."
        ),
    ],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Record nothing; print what would be recorded.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Import a text that does not look like an article page.")
    ] = False,
    day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="Whether 5/12/2024 is in December. Default: as other dates on the page; otherwise month first.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Import the article of a page, its categories and authors, and the recent posts that the page lists."""
    text = _read(file)

    def parse(zone: tzinfo) -> tuple[ParsedPage, datetime]:
        """Return the page and the time of its retrieval."""
        moment = _moment(retrieved_at, zone)
        return _parse(file, text, moment, zone=zone, day_first=day_first, force=force), moment

    parse(UTC)  # an invalid page must not create a store
    with TemporaryDirectory() as temporary:
        # A dry run creates nothing in `data`: no store, and no views of a log that is elsewhere.
        place = Path(temporary) / "store" if dry_run and not data.exists() else data
        with progress("Building the views") as report_progress:
            report = run(_import(place, log, parse, dry_run=dry_run, report_progress=report_progress))
    if json:
        print_json(report)
    else:
        _show(report)
    if any(entry.note == TEXT_DIFFERS for entry in report.differing_posts):
        fail(_TEXT_NOT_IMPORTED, REFUSED)


def _moment(value: str, zone: tzinfo) -> datetime:
    try:
        return rfc3339.to_datetime(rfc3339.parse_date_or_time(value, zone))
    except rfc3339.InvalidTime as error:
        fail(
            f"--retrieved-at {value!r} is not a date such as 2024-12-22, or a time such as "
            f"2024-12-22T09:00:00+01:00: {error}",
            MISUSED,
        )


def _read(file: Path) -> str:
    with reading(file):
        return file.read_text(encoding="utf-8-sig")


def _parse(
    file: Path, text: str, retrieved_at: datetime, *, zone: tzinfo, day_first: bool | None, force: bool
) -> ParsedPage:
    try:
        return parse_page(text, retrieved_at, zone=zone, day_first=day_first, force=force)
    except NotAnArticlePage as error:
        fail(f"{file}: {error}. To import it all the same, add --force.", MISUSED)
    except PageUnreadable as error:
        fail(f"{file}: {error}", MISUSED)


async def _import(
    data: Path,
    log: str,
    parse: Callable[[tzinfo], tuple[ParsedPage, datetime]],
    *,
    dry_run: bool,
    report_progress: Callable[[int, int], None],
) -> ImportReport:
    create = not dry_run or LogUrl.parse(log).is_local
    async with open_store(
        data, log=log, features=installed_features(), create=create, progress=report_progress
    ) as store:
        with store.snapshot() as snapshot:
            parsed, retrieved_at = parse(site_tzinfo(snapshot))
        return await import_page(store, parsed, retrieved_at=retrieved_at, dry_run=dry_run)


def _show(report: ImportReport) -> None:
    would = "would be " if report.dry_run else ""
    for entries, prefix in ((report.made, would), (report.unchanged, "")):
        for entry in entries:
            slug = f"  /{entry.slug}" if entry.slug else ""
            note = f" ({entry.note})" if entry.note else ""
            out.print(f"{prefix + entry.action.value:>18}  {entry.kind.value:<11}  {entry.name}{slug}{note}")
    for label, lines in (("guessed", report.guessed), ("link lost", report.links_without_target)):
        for line in lines:
            out.print(f"{label:>18}  {line}")
    if report.made:
        return
    if report.differing_posts:
        err.print("Nothing was recorded: posts in the store differ from the page, as noted above.")
    else:
        err.print("Nothing was recorded: the store already contains everything on this page.")
