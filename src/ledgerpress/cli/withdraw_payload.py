"""`ledgerpress withdraw`: erase one payload permanently, as the law may require."""

from typing import Annotated

import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, MAX_POSITION, DataOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import err, progress, run
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.withdraw import withdraw as withdraw_payload


def withdraw(
    position: Annotated[
        int,
        typer.Argument(min=1, max=MAX_POSITION, help="The position of the event; see `ledgerpress events`."),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason", help="The reason. It is stored permanently: do not repeat the withdrawn text in it."
        ),
    ],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Erase the payload of the event at POSITION from the log and the views. Its header stays. There is no undo."""
    with progress("Building the views") as report:
        record = run(
            withdraw_payload(data, position, reason, log=log, features=installed_features(), progress=report)
        )
    err.print(f"The payload at position {position:,} is withdrawn; the log is at position {record:,}.")
    err.print("Earlier backups and exports still contain it: delete them and create new ones.")
