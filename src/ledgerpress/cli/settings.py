"""`ledgerpress settings`: what is set, and where each value comes from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from ledgerpress.cli.terminal import MISUSED, JsonOption, err, out
from ledgerpress.server.log_url import mask
from ledgerpress.server.settings.declaration import declared
from ledgerpress.server.settings.loading import FILE, FILE_VARIABLE, InvalidSettings, LoadedSettings, load
from ledgerpress.server.settings.reference import reference, shown

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="development or production.", show_default="development"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help=f"The file with the settings (or {FILE_VARIABLE}).",
        show_default=f"{FILE}, if it is there",
    ),
]
_HIDDEN: Final = "(set, and not shown)"


def loaded(options: Mapping[str, object], config: Path | None) -> LoadedSettings:
    """Return the settings. What is wrong with them ends the program. `None` is an option that was not used."""
    try:
        used = {name: value for name, value in options.items() if value is not None}
        return load(used, os.environ, config)
    except InvalidSettings as error:
        for mistake in error.mistakes:
            err.print(f"ledgerpress: {mistake}", style="red")
        raise typer.Exit(MISUSED) from None


def settings(
    profile: ProfileOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    as_reference: Annotated[
        bool, typer.Option("--reference", help="Print the page docs/reference/settings.md.")
    ] = False,
) -> None:
    """Show every setting as it is now, and where it was set. Secrets are not shown."""
    if as_reference:
        typer.echo(reference(), nl=False)
        return
    known = loaded({"profile": profile}, config)
    default = f"the profile {known.profile.value}"
    rows = []
    for name, setting in declared().items():
        value = getattr(getattr(known.settings, setting.section), setting.field)
        source = known.sources.get(name, default)
        rows.append((name, _HIDDEN if setting.is_secret and value else value, source))
    if json:
        found = {
            name: {"value": mask(value) if isinstance(value, str) else value, "source": source}
            for name, value, source in rows
        }
        page = {"profile": known.profile, "settings": found}
        typer.echo(msgspec.json.encode(page, enc_hook=str))
        return
    out.print(f"profile = {known.profile.value}")
    for name, value, source in rows:
        out.print(f"{name} = {shown(value)}", end="")
        out.print(f"  ({source})", style="dim")
