"""`ledgerpress head`: the current head of the log, to be stored elsewhere and compared later."""

from datetime import UTC, datetime, timedelta

from ledgerpress.cli.shared_options_and_errors import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    DataOption,
    JsonOption,
    LogOption,
    out,
    run,
)
from ledgerpress.operator.verify import read_head


def head(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Print the size of the log and the root of the Merkle tree over it. Keep the JSON for `verify --head`."""
    tree_head = run(read_head(data, log))
    if json:
        out.print(tree_head.to_json())
        return
    out.print(f"publication    {tree_head.publication}")
    out.print(f"size           {tree_head.size:,} events")
    out.print(f"root           {tree_head.root}")
    out.print(f"recorded time  {_time(tree_head.recorded_time)}")


def _time(time: int | None) -> str:
    """Return a time in microseconds since 1970 in RFC 3339 format."""
    if time is None:
        return "(nothing is recorded)"
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
    )
