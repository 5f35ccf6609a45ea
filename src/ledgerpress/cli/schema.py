"""`ledgerpress schema`: writes the contracts with clients and with stored bytes, or checks that they are up to date."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ledgerpress.application import event_schemas
from ledgerpress.cli.terminal import MISUSED, REFUSED, err, fail
from ledgerpress.graphql.schema import make_schema

GRAPHQL_FILE: Final = "schema.graphql"
EVENTS: Final = "events"


def schema(
    directory: Annotated[Path, typer.Option("--directory", help="Where the files are.")] = Path("schema"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 where a file differs.")
    ] = False,
) -> None:
    """Write schema.graphql and a JSON Schema for every event."""
    if not directory.is_dir():
        fail(f"{directory} is not a directory", MISUSED)
    text = make_schema().as_str().rstrip() + "\n"
    graphql = directory / GRAPHQL_FILE
    if not check:
        graphql.write_text(text, encoding="utf-8")
        event_schemas.write(directory / EVENTS)
        return
    differences = event_schemas.check(directory / EVENTS)
    if not graphql.exists() or graphql.read_text(encoding="utf-8") != text:
        differences.append(f"{graphql} differs from the schema of the code")
    for difference in differences:
        err.print(difference)
    if differences:
        fail("write them anew with `ledgerpress schema`, and look at what has changed", REFUSED)
