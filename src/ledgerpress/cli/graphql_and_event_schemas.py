"""`ledgerpress schema`: write the GraphQL schema and the event schemas, or check that they are up to date."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ledgerpress.cli.printing_and_exit_codes import MISUSED, REFUSED, err, fail
from ledgerpress.features.registry import FEATURES, installed_features
from ledgerpress.operator import event_schemas

GRAPHQL_FILE: Final = "schema.graphql"
EVENTS: Final = "events"


def schema(
    directory: Annotated[Path, typer.Option("--directory", help="The directory of the schema files.")] = Path(
        "schema"
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is out of date.")
    ] = False,
    access: Annotated[
        Path | None,
        typer.Option("--access", help="Also write or check the table of permissions, in this file."),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Include the features of all installed packages.")
    ] = False,
) -> None:
    """Write schema.graphql, a JSON Schema for each event, and with --access the table of permissions."""
    if not directory.is_dir():
        fail(f"{directory} is not a directory", MISUSED)
    from ledgerpress.graphql import access_reference  # noqa: PLC0415 - imports strawberry

    features = installed_features() if installed else FEATURES
    graphql_schema = features.graphql_schema()
    texts = {directory / GRAPHQL_FILE: graphql_schema.as_str().rstrip() + "\n"}
    if access is not None:
        texts[access] = access_reference.page(graphql_schema)
    if not check:
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
        event_schemas.write(directory / EVENTS, features)
        return
    differences = event_schemas.check(directory / EVENTS, features)
    for file, text in texts.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            differences.append(f"{file} differs from the schema in the code")
    for difference in differences:
        err.print(difference)
    if differences:
        fail("write the files again with `ledgerpress schema`, and review the changes", REFUSED)
