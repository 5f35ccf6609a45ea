"""`ledgerpress rebuild`: rebuild the views alongside those in use, compare them, and switch to them."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import err, out, print_json, print_table, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.server.views_rebuild import ViewsUpToDate
from ledgerpress.server.views_rebuild import rebuild as rebuild_views
from ledgerpress.views.files.comparison import RowDifference
from ledgerpress.views.files.rebuild_compare_and_switch import ViewsComparison

NICE: Final = 10
"""The niceness (nice(2)) added to a rebuild, so that servers have priority."""


def rebuild(
    projection: Annotated[
        list[str] | None,
        typer.Option("--projection", help="Rebuild only this projection; may be repeated."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; do not switch to the rebuilt views.")
    ] = False,
    if_outdated: Annotated[
        bool,
        typer.Option(
            "--if-outdated",
            help="Rebuild only views that are outdated or missing; first wait for other processes that build views.",
        ),
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="The maximum number of differing rows to show; 0 shows all.")
    ] = 100,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Rebuild the views from the log alongside those in use, show the differences, and switch to the rebuilt views."""
    os.nice(NICE)
    rows: list[RowDifference] = []

    def keep(row: RowDifference) -> None:
        if not limit or len(rows) < limit:
            rows.append(row)

    with progress("Building views alongside those in use") as report:
        rebuilding = _rebuild(
            data,
            projection or (),
            log=log,
            features=installed_features(),
            check=check,
            if_outdated=if_outdated,
            report=keep,
            restarted=rows.clear,
            progress=report,
        )
        comparison, is_up_to_date = run(rebuilding)
    if json:
        print_json({"switched": not check and not is_up_to_date, "compared": comparison, "rows": rows})
        return
    if is_up_to_date:
        out.print("The views in use are up to date.")
        return
    if comparison is None:
        out.print("There were no views to compare with.")
    else:
        _show(comparison, rows)
    if check:
        out.print(
            "The views in use are unchanged. To switch to the rebuilt views, run `ledgerpress rebuild`; to delete "
            "them, run `ledgerpress views drop`."
        )
    else:
        out.print(
            "The rebuilt views are now in use. To go back, run `ledgerpress views rollback`; to delete the former "
            "views, run `ledgerpress views drop`."
        )


async def _rebuild(*arguments: Any, **options: Any) -> tuple[ViewsComparison | None, bool]:
    """Return the comparison, and whether the views were up to date, in which case none were built."""
    try:
        return await rebuild_views(*arguments, **options), False
    except ViewsUpToDate:
        return None, True


def _show(comparison: ViewsComparison, rows: list[RowDifference]) -> None:
    out.print(
        f"Compared at position {comparison.position:,}: {comparison.before} in use, {comparison.after} rebuilt."
    )
    for name, why in comparison.paused.items():
        err.print(f"Projection {name} is paused in the views in use and was not compared: {why}")
    if not comparison.tables:
        out.print("Every row is the same.")
        return
    lines = []
    for difference in comparison.tables:
        sizes = (f"{digest.rows:,}" if digest else "none" for digest in (difference.before, difference.after))
        counts = (difference.added, difference.removed, difference.changed)
        lines.append((difference.table, *sizes, *(f"{count:,}" for count in counts)))
    print_table(("table", "rows", "rebuilt", "added", "removed", "changed"), lines)
    for row in rows:
        out.print(_line(row))
    for difference in comparison.tables:
        for sign, columns in (("-", difference.columns_before), ("+", difference.columns_after)):
            if columns:
                out.print(f"{sign} {difference.table}: column {', '.join(columns)}")
    total = sum(table.added + table.removed + table.changed for table in comparison.tables)
    if total > len(rows):
        out.print(f"… and {total - len(rows):,} more rows; --limit 0 shows all.")


def _line(row: RowDifference) -> str:
    label = f"{row.table} {_values(row.key)}"
    if row.before is None:
        return f"+ {label}: {_values(row.after or {})}"
    if row.after is None:
        return f"- {label}: {_values(row.before)}"
    changes = (
        f"{name} {_value(value)} → {_value((row.after or {})[name])}" for name, value in row.before.items()
    )
    return f"~ {label}: {', '.join(changes)}"


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, str) else str(value)
