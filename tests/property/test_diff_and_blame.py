"""For any edits: a difference turns one version into another, and blame names the version that inserted a text."""

import re
import subprocess
from collections.abc import Iterable
from functools import reduce
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgerpress.features.history.blame import BlamedBody, Segment, follow
from ledgerpress.features.posts.text_diff import Span, SpanKind, difference, lines, unified
from tests.property.whole_body_blame import WholeBody, follow_whole, whole_difference

PARAGRAPHS = (
    "The tide mill turns again.", "After forty years, the wheel was oiled.", "- one\n- two\n- three", "# Head",
    "रात का बाज़ार खुला है।", "夜の市場は遅くまで開いています。", "One word", "word", "a b a b a b",
)  # fmt: skip
_words = st.sampled_from(
    ["tide", "mill", "the", "wheel", "turns", ",", ".", "again", "two", "夜", "रात", "का\u200d", "\t", "\x0c"]
)
_paragraphs = st.sampled_from(PARAGRAPHS) | st.lists(_words, max_size=8).map(" ".join)
_breaks = st.sampled_from(("\n\n", "\n", "\n\n\n", " \n\n"))


def blame(versions: Iterable[tuple[int, str]]) -> BlamedBody:
    """Return the blame of the last body; `versions` are the version numbers and bodies in order."""
    return reduce(lambda before, version: follow(before, *version), versions, BlamedBody())


def applied(spans: Iterable[Span], before: str) -> str:
    """Apply `spans` to `before`, and return the text. Raises `ValueError` if they belong to another text."""
    at, after = 0, []
    for kind, text in spans:
        if kind is not SpanKind.INSERT:
            if not before.startswith(text, at):
                raise ValueError(f"the difference does not fit this text at character {at}")
            at += len(text)
        if kind is not SpanKind.DELETE:
            after.append(text)
    if at != len(before):
        raise ValueError(f"the difference ends at character {at} of {len(before)}")
    return "".join(after)


@st.composite
def edits(draw: st.DrawFn) -> list[str]:
    """Draw bodies, each an edit of the previous one: paragraphs added, dropped, moved, copied, changed or replaced."""
    parts = draw(st.lists(_paragraphs, max_size=6))
    bodies = [draw(_breaks).join(parts)]
    for _ in range(draw(st.integers(1, 8))):
        match draw(st.sampled_from(("add", "drop", "move", "copy", "words", "replace", "any"))):
            case "add":
                parts.insert(draw(st.integers(0, len(parts))), draw(_paragraphs))
            case "drop" if parts:
                parts.pop(draw(st.integers(0, len(parts) - 1)))
            case "move" if parts:
                part = parts.pop(draw(st.integers(0, len(parts) - 1)))
                parts.insert(draw(st.integers(0, len(parts))), part)
            case "copy" if parts:
                parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from(parts)))
            case "words" if parts:
                number = draw(st.integers(0, len(parts) - 1))
                words = parts[number].split(" ")
                low, high = sorted((draw(st.integers(0, len(words))), draw(st.integers(0, len(words)))))
                words[low:high] = draw(st.lists(_words, max_size=3))
                parts[number] = " ".join(words)
            case "replace":
                parts = draw(st.lists(_paragraphs, max_size=6))
            case _:
                parts = [draw(st.text(max_size=30))]
        bodies.append(draw(_breaks).join(parts))
    return bodies


def inserted(before: str, after: str) -> list[tuple[int, int]]:
    """Return the ranges of `after` that the difference inserts."""
    at, ranges = 0, []
    for kind, text in difference(before, after):
        if kind is not SpanKind.DELETE:
            if kind is SpanKind.INSERT:
                ranges.append((at, at + len(text)))
            at += len(text)
    return ranges


_fragments = st.lists(
    st.sampled_from(
        ["a", "b", "a b", " ", "\n", "\n\n", " \n", "\t", ".", "1", "é", "夜", "\u0301", "\u200d", "\u0600"]
    ),
    max_size=25,
).map("".join)


@settings(deadline=None)
@given(edits() | st.lists(_fragments, min_size=2, max_size=4))
def test_only_what_changed_is_compared_with_the_result_of_comparing_whole_bodies(bodies: list[str]) -> None:
    blamed, expected = BlamedBody(), WholeBody()
    for version, (before, body) in enumerate(pairwise(["", *bodies]), start=1):
        assert difference(before, body) == whole_difference(before, body)
        blamed, expected = follow(blamed, version, body), follow_whole(expected, version, body)
        assert (blamed.body, blamed.pieces) == (expected.body, list(expected.pieces))


def test_a_long_blank_line_takes_linear_time() -> None:
    """With quadratic time, this test would run for minutes."""
    blank = " " * 200_000
    bodies = [f"Mill.\n\n{blank}", f"Tide.\n{blank}\nMill.", f"{blank}Mill.\n\n{blank}\n{blank}"]
    assert blame(enumerate(bodies, start=1)).body == bodies[-1]


@settings(deadline=None)
@given(edits())
@example(["", "a", ""])
def test_the_difference_of_any_two_versions_turns_one_into_the_other(bodies: list[str]) -> None:
    for before in bodies:
        for after in bodies:
            spans = difference(before, after)
            assert applied(spans, before) == after
            assert all(span.text for span in spans)
            assert all(span.kind is not following.kind for span, following in pairwise(spans))
            if before == after:
                assert {span.kind for span in spans} <= {SpanKind.EQUAL}


@settings(deadline=None)
@given(edits())
def test_blame_covers_the_body_and_names_the_version_that_inserted_each_span(bodies: list[str]) -> None:
    blamed = BlamedBody()
    before = ""
    for version, body in enumerate(bodies, start=1):
        blamed = follow(blamed, version, body)
        assert blamed.body == body
        assert "".join(span.text for span in blamed.spans) == body
        assert all(span.version != following.version for span, following in pairwise(blamed.spans))
        at = 0
        for piece in blamed.pieces:
            _assert_inserted(piece, body[at : at + piece.length], bodies)
            at += piece.length
        assert at == len(body)
        if body == before:
            assert all(piece.version < version for piece in blamed.pieces)
        before = body
    assert blame(enumerate(bodies, start=1)).pieces == blamed.pieces


def _assert_inserted(piece: Segment, text: str, bodies: list[str]) -> None:
    """Fail unless the version in `piece` inserted exactly this text at exactly this place."""
    earlier = bodies[piece.version - 2] if piece.version > 1 else ""
    assert bodies[piece.version - 1][piece.start : piece.start + piece.length] == text
    ranges = inserted(earlier, bodies[piece.version - 1])
    assert any(low <= piece.start and piece.start + piece.length <= high for low, high in ranges)


@given(
    st.lists(_paragraphs.filter(lambda text: text.strip()), min_size=2, max_size=6, unique=True), st.data()
)
def test_a_moved_paragraph_is_not_new(parts: list[str], data: st.DataObject) -> None:
    parts = [re.sub(r"\n\s*", " ", part.strip()) for part in parts]
    moved = data.draw(st.permutations(parts))
    blamed = blame([(1, "\n\n".join(parts)), (2, "\n\n".join(moved))])
    new = [span.text for span in blamed.spans if span.version == 2]
    assert not "".join(new).strip()


@given(edits())
def test_the_unified_difference_follows_the_format_of_patch(bodies: list[str]) -> None:
    before, after = bodies[0], bodies[-1]
    diff = unified(before, after)
    assert (diff == "") == (before == after)
    assert _patched(diff, before) == after


def _patched(difference: str, before: str) -> str:
    """Apply a unified difference as the GNU diffutils manual describes ("Detailed Unified")."""
    old, new = lines(before), list[str]()
    at = 0
    rows = difference.split("\n")[2:]
    for row, following in pairwise(rows):
        text = row[1:] if following.startswith("\\") else f"{row[1:]}\n"
        if hunk := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", row):
            start = int(hunk[1]) - (0 if hunk[2] == "0" else 1)
            new += old[at:start]
            at = start
        elif row[:1] == "+":
            new.append(text)
        elif not row.startswith("\\"):
            assert old[at] == text
            new += [text] if row[0] == " " else []
            at += 1
    return "".join([*new, *old[at:]])


def test_patch_itself_applies_a_unified_difference(tmp_path: Path) -> None:
    before, after = (
        "one\ntwo\nthree\n" + "same\n" * 20 + "end",
        "one\n2\nthree\n" + "same\n" * 20 + "the end\n",
    )
    file = tmp_path / "body"
    file.write_text(before, encoding="utf-8")
    process = subprocess.run(
        ["patch", "--quiet", str(file)],
        input=unified(before, after),
        text=True,
        check=False,
        capture_output=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert file.read_text(encoding="utf-8") == after
