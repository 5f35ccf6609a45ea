"""`ledgerpress diff` and `blame`: the differences between versions of a post, and who wrote each part of its body."""

from typing import Annotated, Any, Final

import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import err, out, print_json, run
from ledgerpress.cli.rendering.field_differences import print_field, print_unified, print_words
from ledgerpress.cli.rendering.pager import PagerOption, paged
from ledgerpress.features.posts.text_diff import lines
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.history import blame_of, diff_of

_COLORS: Final = ("green", "yellow", "blue", "magenta", "cyan", "red")
_NARROWEST_TEXT: Final = 40
"""If the terminal has fewer columns left for the text, the origin of a text is on the line above it."""

PostArgument = Annotated[
    str, typer.Argument(metavar="SLUG", help="A current or former slug of the post, or its id.")
]


def diff(
    slug: PostArgument,
    old: Annotated[
        int | None,
        typer.Argument(
            metavar="[FROM]",
            min=0,
            help="The older version; 0 is empty.",
            show_default="the one before the last edit up to TO",
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Argument(metavar="[TO]", min=0, help="The newer version.", show_default="the latest"),
    ] = None,
    unified: Annotated[
        bool,
        typer.Option(
            "--unified", "-u", help="Show the body line by line, in the unified format of GNU diff."
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
    no_pager: PagerOption = False,
) -> None:
    """Show the differences between two versions of a post: its fields, and its body word by word.

    `ledgerpress history` shows the versions. With --json, the differences are one object.
    """
    difference = run(diff_of(data, log, slug, old, new, features=installed_features()))
    if json:
        print_json(difference)
        return
    with paged(no_pager=no_pager):
        _show(difference, is_unified=unified)


def _show(difference: dict[str, Any], *, is_unified: bool) -> None:
    body = difference["body"]
    out.print(f"version {difference['from']} → {difference['to']}", style="bold yellow")
    is_same = body is None
    for name, value in difference.items():
        if name in {"from", "to", "body"} or not value:
            continue
        is_same = False
        match value:
            case {"before": before, "after": after}:
                print_field(name, before, after)
            case list() if name.endswith("Added"):
                print_field(name.removesuffix("Added"), [], value)
            case list():
                print_field(name.removesuffix("Removed"), value, [])
    if body is not None and is_unified:
        print_unified(body["unified"])
    elif body is not None:
        out.print("  body")
        print_words(body["spans"])
    if is_same:
        err.print("The title, the teaser, the body, the authors and the categories are the same.")


def blame(
    slug: PostArgument,
    version: Annotated[
        int | None,
        typer.Option("--version", min=0, help="The version whose body to show.", show_default="the latest"),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
    json: JsonOption = False,
    no_pager: PagerOption = False,
) -> None:
    """Show the body of a post, and which version, who and when added each part.

    Text after `|` begins a line; text after `+` continues the line above it. With --json, each line is one part.
    """
    parts = run(blame_of(data, log, slug, version, features=installed_features()))
    if json:
        for part in parts:
            print_json(part)
        return
    if not parts:
        err.print("The body is empty.")
        return
    with paged(no_pager=no_pager):
        _show_blame(parts)


def _show_blame(parts: list[dict[str, Any]]) -> None:
    from rich.cells import cell_len  # noqa: PLC0415 - slow to import

    origins = [
        f"v{part['version']}  {part['recordedAt'][:10]}  {part['actor']['name'] or part['actor']['id']}"
        for part in parts
    ]
    width = max(map(cell_len, origins))
    is_narrow = out.is_terminal and out.width - width < _NARROWEST_TEXT
    begins_line = True
    for part, origin in zip(parts, origins, strict=True):
        color = _COLORS[part["version"] % len(_COLORS)]
        if is_narrow:
            out.print(origin, style=color)
        label = origin + " " * (width - cell_len(origin))
        for line in lines(part["text"]):
            gutter = ("" if is_narrow else f"{label}  ") + ("| " if begins_line else "+ ")
            out.print_parts((gutter, color), (line.rstrip("\n"), ""))
            begins_line = line.endswith("\n")
            label = " " * width
