"""`ledgerpress settings`: the value of every setting, and its source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from ledgerpress.cli.options import ConfigOption, JsonOption, ProfileOption
from ledgerpress.cli.printing_and_exit_codes import MISUSED, out, print_error
from ledgerpress.features.third_party_loading import installed_entry_points
from ledgerpress.server.log_url import mask
from ledgerpress.server.settings import InvalidSettings

if TYPE_CHECKING:
    from ledgerpress.server.settings.loading import LoadedSettings

_HIDDEN: Final = "(set, and not shown)"


def loaded(options: Mapping[str, object], config: Path | None) -> "LoadedSettings":
    """Return the settings. Invalid settings end the program. The value of an unused option is `None`."""
    from ledgerpress.server.settings.loading import load  # noqa: PLC0415 - imports every section

    try:
        used = {name: value for name, value in options.items() if value is not None}
        return load(used, os.environ, config, _sections_of_features())
    except InvalidSettings as error:
        for mistake in error.mistakes:
            print_error(mistake)
        raise typer.Exit(MISUSED) from None


def _sections_of_features() -> "Mapping[str, type[msgspec.Struct]]":
    """Return the sections that installed features declare. The features that LedgerPress ships declare none."""
    if not installed_entry_points():
        return {}
    from ledgerpress.features.registry import installed_features  # noqa: PLC0415 - slow to import

    return installed_features().settings()


def settings(
    profile: ProfileOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    as_reference: Annotated[
        bool, typer.Option("--reference", help="Print the page docs/reference/settings.md.")
    ] = False,
) -> None:
    """Show the value of every setting, and where it was set. Secrets are not shown."""
    from ledgerpress.server.settings.introspection import declared  # noqa: PLC0415 - imports every section
    from ledgerpress.server.settings.reference import reference, shown  # noqa: PLC0415

    if as_reference:
        typer.echo(reference(), nl=False)
        return
    result = loaded({"profile": profile}, config)
    sections = {
        **msgspec.structs.asdict(result.settings),
        **result.settings.features,
    }
    default = f"the profile {result.profile.value}"
    rows = []
    for name, setting in declared(_sections_of_features()).items():
        value = getattr(sections[setting.section], setting.field)
        source = result.sources.get(name, default)
        rows.append((name, _HIDDEN if setting.is_secret and value else value, source))
    if json:
        values = {
            name: {"value": mask(value) if isinstance(value, str) else value, "source": source}
            for name, value, source in rows
        }
        page = {"profile": result.profile, "settings": values}
        typer.echo(msgspec.json.encode(page, enc_hook=str))
        return
    out.print(f"profile = {result.profile.value}")
    for name, value, source in rows:
        out.print(f"{name} = {shown(value)}", end="")
        out.print(f"  ({source})", style="dim")
