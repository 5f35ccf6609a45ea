"""Two changes of one text are merged if they affect different places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.features.posts.three_way_merge import MergeResult, merge

TEXT = "The mill turns.\n\nIt is old.\n\nNobody minds.\n"
_texts = st.lists(st.sampled_from(("mill ", "tide ", ". ", "\n", "turns", " ", "夜")), max_size=12).map(
    "".join
)


@given(_texts, _texts)
def test_a_single_change_is_the_result(origin: str, changed: str) -> None:
    assert merge(origin, changed, origin) == MergeResult(changed)
    assert merge(origin, origin, changed) == MergeResult(changed)
    assert merge(origin, changed, changed) == MergeResult(changed)


@given(_texts, _texts, _texts)
def test_merging_does_not_depend_on_the_order_of_the_changes(origin: str, ours: str, theirs: str) -> None:
    merged, swapped = merge(origin, ours, theirs), merge(origin, theirs, ours)
    assert bool(merged.conflicts) == bool(swapped.conflicts)
    if not merged.conflicts:
        assert merged == swapped


def test_changes_at_different_places_are_merged() -> None:
    ours = TEXT.replace("turns", "stands").replace("minds", "cares")
    assert merge(TEXT, ours, TEXT.replace("old", "new")) == MergeResult(ours.replace("old", "new"))


@pytest.mark.parametrize(
    ("ours", "theirs"), [("It was old.", "It is new."), ("It is old, or so they say.", "It is old!")]
)
def test_changes_of_different_words_are_merged_and_of_the_same_word_conflict(ours: str, theirs: str) -> None:
    merged = merge(TEXT, TEXT.replace("It is old.", ours), TEXT.replace("It is old.", theirs))
    if "was" in ours:
        assert merged == MergeResult(TEXT.replace("It is old.", "It was new."))
    else:
        assert merged.conflicts == (3,)


def test_a_conflict_has_the_line_number_in_the_current_text() -> None:
    ours = "# Head\n\n" + TEXT.replace("minds", "cares")
    assert merge(TEXT, ours, TEXT.replace("minds", "knows")).conflicts == (7,)
