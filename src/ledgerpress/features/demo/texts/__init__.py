"""The bodies of the demo's posts, one Markdown file each, in all their versions.

A line `<!-- 2 -->` begins a part that the body has from version 2 on, `<!-- 1-2 -->` one that it has in versions
1 to 2. What stands before the first such line is in every version.
"""

import re
from importlib.resources import files
from typing import Final

_MARK: Final = re.compile(r"^<!-- (\d+)(?:-(\d+))? -->\n", re.MULTILINE)


def text(name: str, version: int) -> str:
    """Return the body of the post `name` as it was in a version, counted from 1. Raises OSError for no such text."""
    whole = files(__name__).joinpath(f"{name}.md").read_text("utf-8")
    always, *marked = _MARK.split(whole)
    parts = [always]
    for first, last, part in zip(marked[::3], marked[1::3], marked[2::3], strict=True):
        if int(first) <= version and (last is None or version <= int(last)):
            parts.append(part)
    return "\n\n".join(stripped for part in parts if (stripped := part.strip("\n"))) + "\n"
