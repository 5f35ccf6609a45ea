"""`ledgerpress schema`: write the GraphQL schema and the schemas of the events, or check that they are up to date."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ledgerpress.cli.printing_and_exit_codes import MISUSED, REFUSED, err, fail
from ledgerpress.features.registry import FEATURES, installed_features
from ledgerpress.operator import event_schemas

GRAPHQL_FILE: Final = "schema.graphql"
EVENTS: Final = "events"


def schema(
    directory: Annotated[Path, typer.Option("--directory", help="Where the files are.")] = Path("schema"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 where a file differs.")
    ] = False,
    access: Annotated[
        Path | None,
        typer.Option("--access", help="Where the table of who may have what is, if it is wanted."),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Include the features of all installed packages.")
    ] = False,
) -> None:
    """Write schema.graphql, a JSON Schema for every event, and the table of who may have what."""
    if not directory.is_dir():
        fail(f"{directory} is not a directory", MISUSED)
    from ledgerpress.graphql import access_reference  # noqa: PLC0415 - imports strawberry

    features = installed_features() if installed else FEATURES
    made = features.graphql_schema()
    texts = {directory / GRAPHQL_FILE: made.as_str().rstrip() + "\n"}
    if access is not None:
        texts[access] = access_reference.page(made)
    if not check:
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
        event_schemas.write(directory / EVENTS, features)
        return
    differences = event_schemas.check(directory / EVENTS, features)
    for file, text in texts.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            differences.append(f"{file} differs from the schema of the code")
    for difference in differences:
        err.print(difference)
    if differences:
        fail("write them anew with `ledgerpress schema`, and look at what has changed", REFUSED)
