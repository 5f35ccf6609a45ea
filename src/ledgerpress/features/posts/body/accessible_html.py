"""Complete the HTML of a body on a page, so that assistive technologies and the keyboard reach all of it.

- Each table is put into an element that scrolls and can have the focus. A table that scrolls itself would need
  `display: block`, with which assistive technologies no longer see a table.
- The box of a task has the text of the task as its name.

The HTML itself has neither: in a feed, other rules apply.
"""

import re
from typing import Final

from ledgerpress.http.pages.html_copier import HtmlCopier

_NEEDS_CHANGES: Final = re.compile("<table|<input")
_SCROLLING: Final = '<div class="scroll" tabindex="0">'
_TASK: Final = "task-list-item"
_ID: Final = "page_task_{}"
"""The id of a task. Ids of a body never begin with `page_`."""


def with_names_and_scrolling_tables(html: str) -> str:
    """Return the sanitised HTML of a body for a page. Everything else stays as it is."""
    if not _NEEDS_CHANGES.search(html):
        return html
    return _Copier().copy(html)


class _Copier(HtmlCopier):
    """Copies HTML, with what is added. Tables in other tables scroll with them."""

    def __init__(self) -> None:
        super().__init__()
        self._tables = 0
        self._tasks = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source, added = self.get_starttag_text() or "", ""
        if tag == "table":
            if self._tables == 0:
                self.parts.append(_SCROLLING)
            self._tables += 1
        elif tag == "li" and _TASK in (dict(attrs).get("class") or ""):
            self._tasks += 1
            added = f' id="{_ID.format(self._tasks)}"'
        elif tag == "input":
            added = f' aria-labelledby="{_ID.format(self._tasks)}"'
        self.parts.append(f"<{tag}{added}{source[len(tag) + 1 :]}" if added else source)

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag == "table":
            self._tables -= 1
            if self._tables == 0:
                self.parts.append("</div>")
