"""The command-line program. Results go to standard output, everything else to standard error.

A command's module is imported only when the command runs, so that every command starts quickly
(docs/decisions/0049-start-of-the-command-line.md).
"""

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from ledgerpress import __version__
from ledgerpress.cli.click_commands import click_command, complain_clearly
from ledgerpress.cli.printing_and_exit_codes import UNUSABLE, out, print_error
from ledgerpress.cli.stdout_write_errors import OutputUnwritable, check_standard_output

if TYPE_CHECKING:
    from ledgerpress.feature import Feature

_COMMANDS: Final = {
    "serve": ("serve:serve", "Serve the store over HTTP: the front page, GraphQL, health and metrics."),
    "settings": (
        "settings:settings",
        "Show the value of every setting, and where it was set. Secrets are not shown.",
    ),
    "demo": ("demo:demo", "Create a store with the demo newsroom."),
    "status": ("status:status", "Show the log and the projections."),
    "history": ("history:history", "Print the history of a post or category, newest change first."),
    "diff": ("diff_and_blame:diff", "Show the differences between two versions of a post."),
    "blame": ("diff_and_blame:blame", "Show who added each part of a post's body, and when."),
    "head": ("verify_and_head:head", "Print the size of the log and the root of its Merkle tree."),
    "verify": (
        "verify_and_head:verify",
        "Check every stored event, and compare the views with rebuilt ones.",
    ),
    "erase": ("erase:commands", "Erase everything of a post or of a person permanently."),
    "withdraw": ("withdraw_payload:withdraw", "Erase the payload of an event permanently."),
    "rebuild": ("rebuild_and_compare:rebuild", "Rebuild the views alongside those in use, and compare them."),
    "schema": ("graphql_and_event_schemas:schema", "Write the GraphQL schema and the event schemas."),
    "import": ("import_page:commands", "Import content."),
    "events": ("events_tail_export_import:commands", "Print, export and import events."),
    "log": ("log:commands", "Copy, back up and restore the log."),
    "views": ("views:commands", "Manage the views: the files that contain the read models."),
    "projection": (
        "resume_and_skip_projection:commands",
        "Resume a paused projection, or skip the event at which it failed.",
    ),
    "clock": (
        "clock:commands",
        "Show and confirm the clock, and correct the times that a wrong clock has recorded.",
    ),
    "token": ("token:commands", "Create, list and revoke API tokens, the credentials of programs."),
}
"""Each command with its module in this package, its function or `typer.Typer`, and its line in `ledgerpress --help`."""


class _Commands(TyperGroup):
    """The commands of the program and of installed features. They are loaded only when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_COMMANDS, *_of_features()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
            return click_command(cmd_name, getattr(import_module(f"{__name__}.{module}"), attribute))
        if (feature := _of_features().get(cmd_name)) is None:
            return None
        from ledgerpress.feature import InvalidFeature  # noqa: PLC0415 - already imported
        from ledgerpress.feature.lazy_references import load_section  # noqa: PLC0415

        command = load_section(feature, "cli")
        try:
            return click_command(cmd_name, command)
        except Exception as error:
            raise InvalidFeature(
                f"feature {feature.name}: cli={feature.cli!r} is not a function or typer.Typer that can be a command: "
                f"{type(error).__name__}: {error}"
            ) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find and import the command. Then collect garbage again: a server runs for months."""
        resolved = super().resolve_command(ctx, args)
        if not gc.isenabled():
            gc.freeze()  # what is imported stays
            gc.enable()
        return resolved

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands. Only the commands of features are loaded for it."""
        rows = [(name, help_) for name, (_, help_) in _COMMANDS.items()]
        for name in _of_features():
            command = self.get_command(ctx, name)
            rows.append((name, command.get_short_help_str(limit=100)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def main(self, *arguments: Any, **options: Any) -> Any:
        with complain_clearly(self):
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        sys.exit(code)


def _of_features() -> "dict[str, Feature]":
    """Return the installed features that have a command, by name."""
    from ledgerpress.features.third_party_loading import installed_entry_points  # noqa: PLC0415

    if not installed_entry_points():
        return {}
    from ledgerpress.features.registry import installed_features  # noqa: PLC0415 - slow to import

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
    gc.disable()  # until the command runs: collections while modules are imported find nothing
    try:
        check_standard_output()
        app()
    except OutputUnwritable as error:
        print_error(str(error))
        sys.exit(UNUSABLE)
    finally:
        gc.freeze()  # the interpreter would search every object for garbage before the process ends
