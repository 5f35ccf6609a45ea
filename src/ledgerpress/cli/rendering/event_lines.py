"""Print recorded events for people: a line with the header, the reason, and the fields of the payload."""

from collections.abc import Iterable
from typing import Any

from ledgerpress import rfc3339
from ledgerpress.cli.printing_and_exit_codes import out
from ledgerpress.eventlog.envelope import StoredEvent, plaintext
from ledgerpress.grapheme_clusters import shortened

_INDENT = " " * 10
_LEAST_TEXT = 20


def print_events(events: Iterable[StoredEvent]) -> None:
    """Print events. Each value is cut to the width of the terminal; `ledgerpress events show` prints it in full."""
    for event in events:
        header = event.header
        kind, _, subject_id = header.stream.partition(".")
        out.print_parts(
            (f"{header.position:>8,}  ", "cyan"),
            (f"{rfc3339.to_datetime(header.recorded_at):%Y-%m-%d %H:%M:%S} UTC  ", "dim"),
            (header.type, "bold yellow"),
            (f"  {kind} {subject_id[:8]}  by {header.actor_id[:8]}", ""),
        )
        payload = plaintext(event)
        if payload is None:
            out.print(f"{_INDENT}The payload was withdrawn.", style="red")
            continue
        if reason := payload.get("reason"):
            out.print(_INDENT + _one_line(f"“{reason}”"), style="italic")
        for name, value in (payload.get("data") or {}).items():
            if value not in (None, subject_id):
                out.print(_INDENT + _one_line(f"{name}: {value}"))


def _one_line(value: Any) -> str:
    """Return a text without line breaks and control characters, cut to the width of the terminal."""
    from rich.cells import cell_len  # noqa: PLC0415 - slow to import

    text = "".join(character if character.isprintable() else " " for character in str(value))
    width = max(_LEAST_TEXT, out.width - len(_INDENT))
    limit = width
    while cell_len(cut := shortened(text, limit)) > width:
        limit -= max(1, (cell_len(cut) - width) // 2)
    return cut
