"""`ledgerpress head` and `verify`: read the head of the log; verify the log, and compare the views with rebuilt ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    MISUSED,
    REFUSED,
    err,
    fail,
    out,
    print_json,
    progress,
    rfc3339,
    run,
)
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.log_verifier import LogVerification
from ledgerpress.operator.verify import read_head, verify_log, verify_views
from ledgerpress.views.files.verification_by_rebuild import ViewsVerification


def head(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Print the size of the log and the root of the Merkle tree over it. Keep the JSON for `verify --head`."""
    tree_head = run(read_head(data, log, features=installed_features()))
    if json:
        print_json(tree_head)
        return
    out.print(f"publication    {tree_head.publication}")
    out.print(f"size           {tree_head.size:,} events")
    out.print(f"root           {tree_head.root}")
    out.print(f"recorded time  {rfc3339(tree_head.recorded_time) or '(nothing is recorded)'}")


def verify(
    head: Annotated[
        Path | None,
        typer.Option("--head", help="A file with what `ledgerpress head --json` printed earlier."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Check every stored event, and compare the views with ones made anew. Exits with 1 where something is wrong."""
    saved = _read(head) if head else None
    with progress("Checking the log") as report:
        checked = run(verify_log(data, saved, log=log, features=installed_features(), progress=report))
    views = None
    if checked.finding is None:
        with progress("Making the views anew") as report:
            views = run(verify_views(data, log=log, features=installed_features(), progress=report))
    wrong = _wrong(checked, views)
    if json:
        print_json(_as_data(checked, views, wrong, saved))
    elif wrong is None:
        out.print(_summary(checked, views, saved))
    if wrong is not None:
        fail(wrong, REFUSED)
    for name, why in (views.paused if views else {}).items():
        err.print(f"Projection {name} is paused, and was compared as far as it came: {why}")


def _read(file: Path) -> TreeHead:
    try:
        return TreeHead.from_json(file.read_bytes())
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", MISUSED)
    except ValueError as error:
        fail(f"{file} is not a head that `ledgerpress head --json` printed: {error}", MISUSED)


def _wrong(checked: LogVerification, views: ViewsVerification | None) -> str | None:
    if checked.finding is not None:
        return str(checked.finding)
    if views is not None and views.failure is not None:
        return views.failure
    if views is not None and views.differing:
        return f"the views are not what follows from the log: {', '.join(views.differing)}"
    return None


def _summary(checked: LogVerification, views: ViewsVerification | None, saved: TreeHead | None) -> str:
    head = checked.head
    lines = [
        f"The log is intact: {head.size:,} events, {checked.withdrawn:,} payloads withdrawn, root {head.root}."
    ]
    if checked.unknown:
        lines.append(_unknown(checked.unknown))
    if saved is not None:
        lines.append(f"It extends the head kept at position {saved.size:,}.")
    if views is None:
        lines.append("There are no views yet of this version and these features.")
    else:
        rows = sum(table.rows for table in views.tables.values())
        lines.append(
            f"The views are what follows from it: {rows:,} rows in {len(views.tables)} tables, at position {views.position:,}."
        )
    return "\n".join(lines)


def _unknown(events: Mapping[str, int]) -> str:
    """Return how many events belong to features that are not installed."""
    types = ", ".join(f"{type_} ({count:,})" for type_, count in sorted(events.items()))
    return (
        f"{sum(events.values()):,} events have types of features that are not installed; their hashes and their order "
        f"are right, their content was not read: {types}."
    )


def _as_data(
    checked: LogVerification, views: ViewsVerification | None, wrong: str | None, saved: TreeHead | None
) -> dict[str, object]:
    finding = checked.finding
    return {
        "intact": wrong is None,
        "wrong": wrong,
        "position": finding.position if finding else None,
        "head": checked.head,
        "withdrawn": checked.withdrawn,
        "unknown": checked.unknown,
        "extends": saved,
        "views": views
        and {
            "position": views.position,
            "tables": {name: table._asdict() for name, table in views.tables.items()},
            "differing": views.differing,
            "paused": views.paused,
        },
    }
