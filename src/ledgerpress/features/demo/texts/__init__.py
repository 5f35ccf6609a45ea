"""The bodies of the demo's posts and pages in all their versions, one Markdown file for each.

A line `<!-- 2 -->` begins a part that is in the body from version 2 on, `<!-- 1-2 -->` a part that is in versions 1
to 2. The text above the first such line is in every version.
"""

import re
from importlib.resources import files
from typing import Final

_MARK: Final = re.compile(r"^<!-- (\d+)(?:-(\d+))? -->\n", re.MULTILINE)


def text(name: str, version: int) -> str:
    """Return a version of the body of the post `name`; versions begin at 1. Raises `OSError` for an unknown name."""
    source = files(__name__).joinpath(f"{name}.md").read_text("utf-8")
    always, *marked = _MARK.split(source)
    parts = [always]
    for first, last, part in zip(marked[::3], marked[1::3], marked[2::3], strict=True):
        if int(first) <= version and (last is None or version <= int(last)):
            parts.append(part)
    return "\n\n".join(stripped for part in parts if (stripped := part.strip("\n"))) + "\n"
