"""`ledgerpress head`: what the log is at this moment, to be kept elsewhere and compared later."""

from datetime import UTC, datetime, timedelta

from ledgerpress.cli.terminal import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption, out, run
from ledgerpress.operator.verification import read_head


def head(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG, json: JsonOption = False) -> None:
    """Print the size of the log and the root of the Merkle tree over it. Keep the JSON for `verify --head`."""
    found = run(read_head(data, log))
    if json:
        out.print(found.to_json())
        return
    out.print(f"publication    {found.publication}")
    out.print(f"size           {found.size:,} events")
    out.print(f"root           {found.root}")
    out.print(f"recorded time  {moment(found.recorded_time)}")


def moment(time: int | None) -> str:
    """Return a time in microseconds since 1970 as RFC 3339 writes it."""
    if time is None:
        return "(nothing is recorded)"
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
    )
