"""The command-line program. Results go to standard output, everything else to standard error."""

import typer

from ledgerpress.cli import backup, demo, import_page, schema, serve, status

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

app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("schema")(schema.schema)
imports.command("page")(import_page.page)


def main() -> None:
    """Run the program."""
    app()
