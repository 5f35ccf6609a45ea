"""`ledgerpress status`: the log of a store, and the progress of its projections."""

from pathlib import Path
from typing import Any

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    REFUSED,
    UNUSABLE,
    fail,
    out,
    print_json,
    print_table,
    progress,
    run,
)
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.status import read_status


def status(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Show the log and the projections. Exits with 1 if a projection is paused, with 3 if the log cannot be reached."""
    with progress("Building the views") as report:
        store_status = run(read_status(data, log=log, features=installed_features(), progress=report))
    if json:
        print_json(store_status)
    else:
        _show(data, store_status)
    if store_status["log"]["unreachable"]:
        fail(
            f"{store_status['log']['unreachable']}. This status comes from the views of this node and may be outdated",
            UNUSABLE,
        )
    if any(projection["state"] == "PAUSED" for projection in store_status["projections"]):
        raise SystemExit(REFUSED)


def _show(data: Path, store_status: dict[str, Any]) -> None:
    out.print(f"store        {data}")
    log = store_status["log"]
    out.print(f"log          {log['url']}  ({log['engine']})")
    for notice in log["notices"]:
        out.print(f"notice       {notice}", style="yellow")
    out.print(f"site         {store_status['site'] or '(not named yet)'}")
    out.print(f"publication  {store_status['publication']}")
    out.print(f"head         {_known(store_status['head'], 'position {:,}')}")
    for type_, count in store_status["unknown"].items():
        out.print(
            f"unknown      {count:,} events of type {type_}: their feature is not installed", style="yellow"
        )
    columns = ("projection", "state", "checkpoint", "lag", "seconds", "failed at", "digest", "error")
    rows = [
        (
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
        for projection in store_status["projections"]
    ]
    print_table(columns, rows)


def _known(number: float | None, form: str = "{:,}") -> str:
    return "unknown" if number is None else form.format(number)
