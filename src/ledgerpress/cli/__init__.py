"""The command-line program. Results go to standard output, everything else to standard error."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ledgerpress import __version__
from ledgerpress.cli import (
    demo,
    events_tail_export_import,
    graphql_and_event_schemas,
    history,
    import_page,
    log,
    rebuild_and_compare,
    resume_and_skip_projection,
    serve,
    settings,
    status,
    token,
    verify_and_head,
    views,
    withdraw_payload,
)
from ledgerpress.cli.printing_and_exit_codes import UNUSABLE, out, print_error
from ledgerpress.cli.stdout_write_errors import OutputUnwritable, check_standard_output
from ledgerpress.feature import Feature, InvalidFeature
from ledgerpress.feature.lazy_references import load_section
from ledgerpress.features.registry import installed_features
from ledgerpress.graphql.schema_error import SchemaError


class _Commands(TyperGroup):
    """The commands of the program. The commands of installed features are loaded only when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_of_features()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        builtin = super().get_command(ctx, cmd_name)
        if builtin is not None or (feature := _of_features().get(cmd_name)) is None:
            return builtin
        command = load_section(feature, "cli")
        try:
            if not isinstance(command, typer.Typer):
                command, function = typer.Typer(add_completion=False, pretty_exceptions_enable=False), command
                command.command()(function)
            click_command = typer.main.get_command(command)
        except Exception as error:
            raise InvalidFeature(
                f"feature {feature.name}: cli={feature.cli!r} is not a function or typer.Typer that can be a command: "
                f"{type(error).__name__}: {error}"
            ) from error
        click_command.name = cmd_name
        return click_command


def _of_features() -> dict[str, Feature]:
    """Return the installed features that have a command, by name."""
    return {feature.name: feature for feature in installed_features().features if feature.cli}


app = typer.Typer(
    cls=_Commands,
    name="ledgerpress",
    help="An event-sourced content store for newsrooms and blogs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _command in (
    *(serve.serve, settings.settings, demo.demo, status.status, history.history, verify_and_head.head),
    *(
        verify_and_head.verify,
        withdraw_payload.withdraw,
        rebuild_and_compare.rebuild,
        graphql_and_event_schemas.schema,
    ),
):
    app.command()(_command)
app.add_typer(import_page.commands, name="import")
app.add_typer(events_tail_export_import.commands, name="events")
app.add_typer(log.commands, name="log")
app.add_typer(views.commands, name="views")
app.add_typer(resume_and_skip_projection.commands, name="projection")
app.add_typer(token.commands, name="token")


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
    try:
        check_standard_output()
        app()
    except (InvalidFeature, OutputUnwritable) as error:
        print_error(str(error))
        sys.exit(UNUSABLE)
    except SchemaError as error:
        print_error(f"{error} What to do: {error.todo}")
        sys.exit(UNUSABLE)
