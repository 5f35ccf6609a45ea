"""`ledgerpress views`: list the views files, roll back to the former one, delete those not in use."""

import msgspec
from rich.filesize import decimal
from rich.table import Table

from ledgerpress.cli.shared_options_and_errors import DEFAULT_DATA, DataOption, JsonOption, clear_errors, out
from ledgerpress.operator.rebuild import drop_views, list_views, roll_back


def show(data: DataOption = DEFAULT_DATA, json: JsonOption = False) -> None:
    """List the views files: the one in use, the former one, and what was begun."""
    with clear_errors():
        files = list_views(data)
    if json:
        out.print(msgspec.json.encode(files).decode())
        return
    table = Table("file", "state", "position", "size", box=None, pad_edge=False, header_style="bold")
    for file in files:
        position = "unknown" if file.position is None else f"{file.position:,}"
        table.add_row(file.name, file.state, position, decimal(file.size))
    out.print(table)


def rollback(data: DataOption = DEFAULT_DATA) -> None:
    """Use the former views again, in every process on the data directory."""
    with clear_errors():
        views = roll_back(data)
    out.print(f"{views.name} is in use again; what was in use is kept as the former.")


def drop(data: DataOption = DEFAULT_DATA) -> None:
    """Delete the former views, and what was begun and never switched to."""
    with clear_errors():
        dropped = drop_views(data)
    out.print("\n".join(f"{file.name} deleted" for file in dropped) or "There was nothing to delete.")
