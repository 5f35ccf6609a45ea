"""`ledgerpress head` and `verify`: print the head of the log; verify the log and its views."""

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
    reading,
    run,
)
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.log_verifier import LogVerification
from ledgerpress.operator.verify import read_head, verify_log, verify_views
from ledgerpress.rfc3339 import format_time
from ledgerpress.views.files.verification_by_rebuild import ViewsVerification


def head(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Print the size of the log and the root of its Merkle tree. Save the JSON elsewhere for `verify --head`."""
    tree_head = run(read_head(data, log, features=installed_features()))
    if json:
        print_json(tree_head)
        return
    out.print(f"publication    {tree_head.publication}")
    out.print(f"size           {tree_head.size:,} events")
    out.print(f"root           {tree_head.root}")
    time = tree_head.recorded_time
    out.print(f"recorded time  {'(nothing is recorded)' if time is None else format_time(time)}")


def verify(
    head: Annotated[
        Path | None,
        typer.Option("--head", help="A file with earlier output of `ledgerpress head --json`."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Check every stored event, and compare the views with rebuilt ones. Exits with 1 if something is wrong."""
    saved_head = read_saved_head(head) if head else None
    with progress("Checking the log") as report:
        verification = run(
            verify_log(data, saved_head, log=log, features=installed_features(), progress=report)
        )
    views = None
    if verification.finding is None:
        with progress("Rebuilding the views") as report:
            views = run(verify_views(data, log=log, features=installed_features(), progress=report))
    problem = _wrong(verification, views)
    if json:
        print_json(_as_data(verification, views, problem, saved_head))
    elif problem is None:
        out.print(_summary(verification, views, saved_head))
    if problem is not None:
        fail(problem, REFUSED)
    for name, why in (views.paused if views else {}).items():
        err.print(f"Projection {name} is paused and was compared only up to its checkpoint: {why}")


def read_saved_head(file: Path) -> TreeHead:
    """Return the head in a file with output of `ledgerpress head --json`; end the program if there is none."""
    with reading(file):
        text = file.read_bytes()
    try:
        return TreeHead.from_json(text)
    except ValueError as error:
        fail(f"{file} is not the output of `ledgerpress head --json`: {error}", MISUSED)


def _wrong(verification: LogVerification, views: ViewsVerification | None) -> str | None:
    if verification.finding is not None:
        return str(verification.finding)
    if views is not None and views.failure is not None:
        return views.failure
    if views is not None and views.differing:
        return (
            f"the views differ from views rebuilt from the log, in these tables: {', '.join(views.differing)}"
        )
    return None


def _summary(
    verification: LogVerification, views: ViewsVerification | None, saved_head: TreeHead | None
) -> str:
    head = verification.head
    lines = [
        f"The log is intact: {head.size:,} events, {verification.withdrawn:,} payloads withdrawn, root {head.root}."
    ]
    if verification.unknown:
        lines.append(_unknown(verification.unknown))
    if saved_head is not None:
        lines.append(f"It extends the saved head at position {saved_head.size:,}.")
    if views is None:
        lines.append("This version with these features has no views yet.")
    else:
        rows = sum(table.rows for table in views.tables.values())
        lines.append(
            f"The views match the log: {rows:,} rows in {len(views.tables)} tables, at position {views.position:,}."
        )
    return "\n".join(lines)


def _unknown(events: Mapping[str, int]) -> str:
    """Return a line about the events of features that are not installed."""
    types = ", ".join(f"{type_} ({count:,})" for type_, count in sorted(events.items()))
    return (
        f"Events of features that are not installed: {sum(events.values()):,}. Their hashes and their order are "
        f"correct; their content was not checked: {types}."
    )


def _as_data(
    verification: LogVerification,
    views: ViewsVerification | None,
    problem: str | None,
    saved_head: TreeHead | None,
) -> dict[str, object]:
    finding = verification.finding
    return {
        "intact": problem is None,
        "wrong": problem,
        "position": finding.position if finding else None,
        "head": verification.head,
        "withdrawn": verification.withdrawn,
        "unknown": verification.unknown,
        "extends": saved_head,
        "views": views
        and {
            "position": views.position,
            "tables": {name: table._asdict() for name, table in views.tables.items()},
            "differing": views.differing,
            "paused": views.paused,
        },
    }
