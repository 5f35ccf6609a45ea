"""`ledgerpress history`: the changes of a post or a category, with actor, time, reason and differences."""

from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ledgerpress import rfc3339
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import REFUSED, fail, out, print_json, run
from ledgerpress.features.posts.text_diff import unified
from ledgerpress.features.registry import installed_features


def history(
    slug: Annotated[str, typer.Argument(help="A current or former slug of a post or category.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
) -> None:
    """Print the history of a post or category, newest change first, with the differences.

    If a post and a category have the same slug, the post's history is printed. With --json, each line is one change.
    """
    if not run(_print(data, log, slug, json=json)):
        fail(f"no post or category has or had the slug “{slug}”", REFUSED)


async def _print(data: Path, log: str, slug: str, *, json: bool) -> bool:
    """Print all changes, and return whether there are any."""
    from ledgerpress.operator.history import changes_of  # noqa: PLC0415 - imports strawberry

    is_first = True
    async with aclosing(changes_of(data, log, slug, features=installed_features())) as changes:
        async for change in changes:
            if json:
                print_json(change)
            else:
                if not is_first:
                    out.print()
                _show(change)
            is_first = False
    return not is_first


def _show(change: dict[str, Any]) -> None:
    title = Text(f"{change['type']}", style="bold yellow")
    title.append(f"  version {change['version']}, position {change['position']:,}", style="dim")
    out.print(title)
    actor = _name(change["actor"])
    if change["onBehalfOf"]:
        actor += f", for {_name(change['onBehalfOf'])}"
    out.print(f"{_time(change['recordedAt'])}  {actor}")
    if change["occurredAt"]:
        out.print(f"occurred {_time(change['occurredAt'])}")
    if change["reason"]:
        out.print(Text(f"reason   {change['reason']}", style="italic"))
    if change["withdrawn"]:
        out.print(Text("The content of this change was withdrawn.", style="red"))
    for field in change["changedFields"]:
        _show_field(field, change["before"].get(field), change["after"].get(field))


def _show_field(field: str, before: Any, after: Any) -> None:
    old, new = _text(field, before), _text(field, after)
    if "\n" in old or "\n" in new or field == "body":
        out.print(f"  {field}")
        for line in unified(old, new).split("\n")[2:-1]:
            out.print(Text(f"    {line}", style=_style(line)))
        return
    difference = Text(f"  {field:<18}")
    if old:
        difference.append(f"-{old}", style="red")
    if old and new:
        difference.append("  ")
    if new:
        difference.append(f"+{new}", style="green")
    out.print(difference)


def _text(field: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(_text(field, item) for item in value)
        case {"name": name}:
            return str(name)
        case str() if field == "publishedAt":
            return _time(value)
        case _:
            return str(value)


def _name(actor: dict[str, Any]) -> str:
    return str(actor["name"] or actor["id"])


def _time(value: str) -> str:
    return rfc3339.to_datetime(rfc3339.parse(value)).strftime("%Y-%m-%d %H:%M:%S UTC")


def _style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan", "\\": "dim"}.get(line[:1], "")
