"""`ledgerpress history`: the changes of a post or a category, with actor, time, reason and differences."""

from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import out, print_json, run
from ledgerpress.cli.rendering.field_differences import print_changed_lines, print_field, shown_time
from ledgerpress.cli.rendering.pager import PagerOption, paged
from ledgerpress.features.posts.text_diff import unified
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.history import changes_of


def history(
    slug: Annotated[
        str, typer.Argument(help="A current or former slug of a post or category, or the id of one.")
    ],
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="The number of changes to print.", show_default="all"),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
    no_pager: PagerOption = False,
) -> None:
    """Print the history of a post or category, newest change first, with the differences.

    If a post and a category have the same slug, the post's history is printed. It includes the merges of the post's
    categories, which do not change its version. With --json, each line is one change.
    """
    with paged(no_pager=no_pager or json):
        run(_print(data, log, slug, limit, json=json))


async def _print(data: Path, log: str, slug: str, limit: int | None, *, json: bool) -> None:
    is_first = True
    async with aclosing(changes_of(data, log, slug, limit=limit, features=installed_features())) as changes:
        async for change in changes:
            if json:
                print_json(change)
            else:
                if not is_first:
                    out.print()
                _show(change)
            is_first = False


def _show(change: dict[str, Any]) -> None:
    # All categories share a stream, so its version is neither a version of the category nor one of a post.
    version = "stream version" if change["type"].startswith("category.") else "version"
    out.print_parts(
        (change["type"], "bold yellow"),
        (f"  {version} {change['version']}, position {change['position']:,}", "dim"),
    )
    actor = _name(change["actor"])
    if change["onBehalfOf"]:
        actor += f", for {_name(change['onBehalfOf'])}"
    out.print(f"{shown_time(change['recordedAt'])}  {actor}")
    if change["uncorrectedRecordedAt"]:
        out.print(
            f"the clock showed {shown_time(change['uncorrectedRecordedAt'])}; it was corrected", style="dim"
        )
    if change["occurredAt"]:
        out.print(f"occurred {shown_time(change['occurredAt'])}")
    if change["reason"]:
        out.print(f"reason   {change['reason']}", style="italic")
    if change["withdrawn"]:
        out.print("The content of this change was withdrawn.", style="red")
    for field in change["changedFields"]:
        before, after = change["before"].get(field), change["after"].get(field)
        if field == "body":
            out.print("  body")
            print_changed_lines(unified(before or "", after or ""), indent="    ")
        else:
            print_field(field, before, after)


def _name(actor: dict[str, Any]) -> str:
    return str(actor["name"] or actor["id"])
