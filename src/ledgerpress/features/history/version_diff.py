"""What differs between two versions of a post, and a unified difference of two texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.text_diff import Replaced, lines, replaced
from ledgerpress.views.snapshot import Snapshot

CONTEXT: Final = 3
"""How many equal lines stand around each change of a unified difference."""


@dataclass(frozen=True, slots=True)
class PostVersion:
    """What a version of a post holds, as of the position that brought it. Version 0 holds nothing: `post` is `None`."""

    number: int
    position: int
    post: post_queries.Post | None
    body: str
    category_ids: tuple[str, ...]

    @property
    def author_ids(self) -> tuple[str, ...]:
        """The authors' ids, in the order of the by-line."""
        return self.post.author_ids if self.post else ()


def version_of(snapshot: Snapshot, post: post_queries.Post, number: int) -> PostVersion | None:
    """Return a version of a post, `None` where it has no such one as of the snapshot."""
    if number == 0:
        return PostVersion(0, post.seq - 1, None, "", ())
    position = post_queries.position_of(snapshot, post.seq, number)
    if position is None:
        return None
    then = snapshot.at(position)
    held = post_queries.by_seq(then, post.seq)
    body = post_queries.markdown(then, held.body) if held else ""
    return PostVersion(number, position, held, body, post_queries.category_ids(then, post.seq))


def unified(before: str, after: str) -> str:
    """Return the difference of two texts in the unified format of GNU diff, empty where they are the same."""
    old, new = lines(before), lines(after)
    hunks = list(_hunks(replaced(old, new)))
    if not hunks:
        return ""
    rows = ["--- before\n", "+++ after\n"]
    for hunk in hunks:
        rows += _hunk(old, new, hunk)
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def _hunks(gaps: Iterable[Replaced]) -> Iterator[list[Replaced]]:
    """Yield the changes that stand so near to one another that their context meets."""
    hunk: list[Replaced] = []
    for gap in gaps:
        if hunk and gap.low_before - hunk[-1].high_before > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(gap)
    if hunk:
        yield hunk


def _hunk(old: Sequence[str], new: Sequence[str], gaps: Sequence[Replaced]) -> Iterator[str]:
    before = min(CONTEXT, gaps[0].low_before)
    behind = min(CONTEXT, len(old) - gaps[-1].high_before)
    at, end = gaps[0].low_before - before, gaps[-1].high_before + behind
    start = gaps[0].low_after - before
    yield f"@@ -{_range(at, end)} +{_range(start, gaps[-1].high_after + behind)} @@\n"
    for gap in gaps:
        yield from (f" {line}" for line in old[at : gap.low_before])
        yield from (f"-{line}" for line in old[gap.low_before : gap.high_before])
        yield from (f"+{line}" for line in new[gap.low_after : gap.high_after])
        at = gap.high_before
    yield from (f" {line}" for line in old[at:end])


def _range(low: int, high: int) -> str:
    """Return a range of lines as the format has it: from 1, without the number of lines where that is 1."""
    length = high - low
    if length == 1:
        return str(low + 1)
    return f"{low + 1 if length else low},{length}"
