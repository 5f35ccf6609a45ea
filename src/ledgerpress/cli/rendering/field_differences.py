"""Print the values of fields before and after a change, and differences of texts."""

import re
from collections.abc import Sequence
from typing import Any, Final

from ledgerpress import rfc3339
from ledgerpress.cli.printing_and_exit_codes import out

_LABEL_WIDTH: Final = 18
_ONE_LINE: Final = 60
"""The number of characters of both values up to which they are printed on one line."""
_CAPITAL: Final = re.compile("(?=[A-Z])")
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan", "\\": "dim"}


def print_field(name: str, before: Any, after: Any) -> None:
    """Print the values of a field before and after a change: old → new, or what was added and removed."""
    label = f"  {_label(name):<{_LABEL_WIDTH - 1}} "
    if isinstance(before, list) or isinstance(after, list):
        old, new = ([_text(name, entry) for entry in value or ()] for value in (before, after))
        added = [entry for entry in new if entry not in old]
        removed = [entry for entry in old if entry not in new]
        if added or removed:
            parts = [(f"+{entry}  ", "green") for entry in added]
            parts += [(f"-{entry}  ", "red") for entry in removed]
            parts[-1] = (parts[-1][0].rstrip(), parts[-1][1])
            out.print_parts((label, ""), *parts)
            return
        before, after = ", ".join(old), ", ".join(new)
    _print_values(label, _text(name, before), _text(name, after))


def _print_values(label: str, old: str, new: str) -> None:
    if not old:
        out.print_parts((label, ""), (new, "green"))
    elif len(old) + len(new) <= _ONE_LINE and "\n" not in old + new:
        out.print_parts(
            (label, ""), (old, "red"), (" → ", "dim"), (new or "(none)", "green" if new else "dim")
        )
    else:
        indent = " " * len(label)
        for sign, style, text in (("-", "red", old), ("+", "green", new)):
            for line in text.split("\n") if text else ():
                out.print_parts((label, ""), (f"{sign} {line}", style))
                label = indent


def print_unified(difference: str) -> None:
    """Print a difference in the unified format, so that programs can apply it."""
    for line in difference.split("\n")[:-1]:
        out.print_parts((line, _STYLES.get(line[:1], "")))


def print_changed_lines(difference: str, *, indent: str) -> None:
    """Print a difference in the unified format for people: without its head and the notes about missing line ends."""
    for line in difference.split("\n")[2:-1]:
        if not line.startswith("\\"):
            out.print_parts((f"{indent}{line}", _STYLES.get(line[:1], "")))


def print_words(spans: Sequence[dict[str, str]]) -> None:
    """Print the difference of two texts word by word: the lines with changes, and two lines around each.

    Without colors, deleted words are in [-…-] and inserted words in {+…+}.
    """
    lines: list[list[tuple[str, str]]] = [[]]
    for span in spans:
        first, *others = span["text"].split("\n")
        lines[-1].append((span["kind"], first))
        lines += [[(span["kind"], text)] for text in others]
    if not any(text for _, text in lines[-1]):
        del lines[-1]
    changed = {number for number, line in enumerate(lines) if any(kind != "EQUAL" for kind, text in line)}
    shown = [number for number in range(len(lines)) if changed & set(range(number - 2, number + 3))]
    previous = -1
    for number in shown:
        if number != previous + 1:
            out.print("    …", style="dim")
        out.print_parts(("    ", ""), *(_word(kind, text) for kind, text in lines[number] if text))
        previous = number
    if shown and previous != len(lines) - 1:
        out.print("    …", style="dim")


def _word(kind: str, text: str) -> tuple[str, str]:
    if kind == "EQUAL":
        return text, ""
    if out.has_color:
        return text, "red strike" if kind == "DELETE" else "green underline"
    return (f"[-{text}-]" if kind == "DELETE" else f"{{+{text}+}}"), ""


def shown_time(value: str) -> str:
    """Return a time for people, in UTC."""
    return rfc3339.to_datetime(rfc3339.parse(value)).strftime("%Y-%m-%d %H:%M:%S UTC")


def _label(name: str) -> str:
    """Return the name of a field in words: `published at` for `publishedAt`."""
    return " ".join(_CAPITAL.split(name)).lower()


def _text(field: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case {"name": name}:
            return str(name)
        case str() if field == "publishedAt":
            return shown_time(value)
        case _:
            return str(value)
