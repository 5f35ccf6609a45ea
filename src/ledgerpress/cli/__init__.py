"""The command-line program. Results go to standard output, everything else to standard error."""

import sys
from typing import Annotated

import typer

from ledgerpress import __version__
from ledgerpress.cli import (
    demo,
    events,
    head,
    history,
    import_page,
    log,
    projection,
    rebuild,
    schema,
    serve,
    settings,
    status,
    token,
    verify,
    views,
    views_snapshot,
    withdraw_payload,
)
from ledgerpress.cli.shared_options_and_errors import UNUSABLE, out, print_error
from ledgerpress.cli.standard_output import OutputUnwritable, check_standard_output

app = typer.Typer(
    name="ledgerpress",
    help="An event-sourced content store for newsrooms and blogs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
imports = typer.Typer(help="Bring content in.", no_args_is_help=True)
app.add_typer(imports, name="import")
log_events = typer.Typer(
    help="The recorded events, as lines of JSON (CloudEvents 1.0).", no_args_is_help=True
)
app.add_typer(log_events, name="events")
logs = typer.Typer(help="The log as a whole: its copies, and where it is.", no_args_is_help=True)
app.add_typer(logs, name="log")
views_files = typer.Typer(help="The files that hold the read models.", no_args_is_help=True)
app.add_typer(views_files, name="views")

projections = typer.Typer(help="What to do about a projection that is paused.", no_args_is_help=True)
app.add_typer(projections, name="projection")

tokens = typer.Typer(help="What programs show in order to be let in.", no_args_is_help=True)
app.add_typer(tokens, name="token")

app.command("serve")(serve.serve)
app.command("settings")(settings.settings)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("history")(history.history)
app.command("head")(head.head)
app.command("verify")(verify.verify)
app.command("withdraw")(withdraw_payload.withdraw)
app.command("rebuild")(rebuild.rebuild)
app.command("schema")(schema.schema)
projections.command("resume")(projection.resume)
projections.command("skip")(projection.skip)
tokens.command("create")(token.create)
tokens.command("list")(token.show)
tokens.command("revoke")(token.revoke)
imports.command("page")(import_page.page)
log_events.command("tail")(events.tail)
log_events.command("show")(events.show)
log_events.command("export")(events.export_file)
log_events.command("import")(events.import_file)
logs.command("copy")(log.copy)
logs.command("backup")(log.backup)
logs.command("restore")(log.restore)
views_files.command("list")(views.show)
views_files.command("rollback")(views.rollback)
views_files.command("drop")(views.drop)
views_files.command("snapshot")(views_snapshot.snapshot)
views_files.command("restore")(views_snapshot.restore)


def _print_version(value: bool) -> None:
    if value:
        out.print(f"ledgerpress {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program."""
    try:
        check_standard_output()
        app()
    except OutputUnwritable as error:
        print_error(str(error))
        sys.exit(UNUSABLE)
