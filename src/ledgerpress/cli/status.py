"""`ledgerpress status`: what is in a store, and the progress of its views."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import REFUSED, UNUSABLE, fail, out, print_json, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.status import read_status


def status(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Show what is in the store. Exits with 1 where a projection is paused, with 3 where the log cannot be reached."""
    with progress("Building the views") as report:
        found = run(read_status(data, log=log, features=installed_features(), progress=report))
    if json:
        print_json(found)
    else:
        _show(data, found)
    if found["log"]["unreachable"]:
        fail(f"{found['log']['unreachable']}. This is what the views hold, as they are", UNUSABLE)
    if any(projection["state"] == "PAUSED" for projection in found["projections"]):
        raise SystemExit(REFUSED)


def _show(data: Path, found: dict[str, Any]) -> None:
    out.print(f"store        {data}")
    log = found["log"]
    out.print(f"log          {log['url']}  ({log['engine']})")
    for notice in log["notices"]:
        out.print(f"notice       {notice}", style="yellow")
    out.print(f"site         {found['site'] or '(not named yet)'}")
    out.print(f"publication  {found['publication']}")
    out.print(f"head         {_known(found['head'], 'position {:,}')}")
    for type_, count in found["unknown"].items():
        out.print(f"passed over  {count:,} events {type_}: the feature is not installed", style="yellow")
    columns = ("projection", "state", "checkpoint", "lag", "seconds", "failed at", "digest", "error")
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for projection in found["projections"]:
        table.add_row(
            projection["name"],
            projection["state"],
            f"{projection['checkpoint']:,}",
            _known(projection["lag"]),
            _known(projection["lagSeconds"], "{:,.0f}"),
            "" if projection["failedAt"] is None else f"{projection['failedAt']:,}",
            ""
            if projection["digest"] is None
            else f"{projection['digest']['sha256'][:8]} at {projection['digest']['position']:,}",
            projection["error"] or "",
        )
    out.print(table)


def _known(found: float | None, form: str = "{:,}") -> str:
    return "unknown" if found is None else form.format(found)
