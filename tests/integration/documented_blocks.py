"""Read the code blocks of the documentation, and the HTML comments that control how a test runs them.

A comment is directly before its block:

    <!-- not run: REASON -->           the block cannot run in a test
    <!-- run with: TEXT = OTHER -->    the test replaces TEXT by OTHER; may be repeated
    <!-- fails: CODE -->               the user error or the exit code with which the block must end
    <!-- saved as: PATH -->            the block is the contents of a file

`<!-- page not run: REASON -->` anywhere on a page applies to all of its blocks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts),
)
COMMANDS: Final = frozenset({"sh", "graphql"})
"""Languages whose blocks run."""
OTHER_LANGUAGES: Final = frozenset(
    {
        "css",
        "diff",
        "haproxy",
        "html",
        "http",
        "ini",
        "json",
        "mermaid",
        "nginx",
        "python",
        "sql",
        "text",
        "toml",
        "yaml",
        "",
    }
)
"""Languages whose blocks are not run. A `json` block after a command is the result of the command."""

_COMMENT: Final = re.compile(r"<!-- *(not run|run with|fails|saved as): *(.+?) *-->")
_WHOLE_PAGE: Final = re.compile(r"^<!-- *page not run: *(.+?) *-->", re.MULTILINE)
_FENCE: Final = re.compile(r"( *)```(\S*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: the line where it begins, its language and its text."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None = None
    fails: str | None = None
    saved_as: str | None = None
    replacements: tuple[tuple[str, str], ...] = field(default=())

    @property
    def place(self) -> str:
        """Return page and line, for messages."""
        return f"{self.page.name}:{self.line}"

    @property
    def code(self) -> str:
        """Return the text with its replacements."""
        code = self.text
        for text, other in self.replacements:
            assert text in code, f"{self.place}: “run with” names a text that is not in the block: {text}"
            code = code.replace(text, other)
        return code

    def commands(self) -> Iterator[str]:
        """Yield the commands of a shell block; a query is one command."""
        if self.language != "sh":
            yield self.text
            return
        for line in self.text.replace("\\\n", " ").splitlines():
            if (command := line.strip()) and not command.startswith("#"):
                yield command


def blocks(page: Path, markdown: str | None = None) -> Iterator[Block]:
    """Yield the blocks of a page in order; `markdown` replaces the contents of its file."""
    text = page.read_text("utf-8") if markdown is None else markdown
    whole_page = match[1] if (match := _WHOLE_PAGE.search(text)) else None
    lines = iter(enumerate(text.splitlines(), 1))
    comments: list[tuple[str, str]] = []
    for number, line in lines:
        if comment := _COMMENT.match(line.strip()):
            comments.append((comment[1], comment[2]))
        elif fence := _FENCE.match(line):
            indent = len(fence[1])
            code = []
            for _, code_line in lines:
                if code_line.strip() == "```":
                    break
                code.append(code_line[indent:])
            values = dict(comments)
            yield Block(
                page,
                number,
                fence[2],
                "\n".join(code) + "\n",
                not_run=values.get("not run", whole_page),
                fails=values.get("fails"),
                saved_as=values.get("saved as"),
                replacements=tuple(_replacement(value) for kind, value in comments if kind == "run with"),
            )
            comments = []
        elif line.strip():
            comments = []


def _replacement(value: str) -> tuple[str, str]:
    text, separator, other = value.partition(" = ")
    assert separator, f"“run with” needs TEXT = OTHER: {value}"
    return text, other
