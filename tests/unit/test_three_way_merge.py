"""Two changes of one text come together where they touch different places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.features.posts.three_way_merge import Merged, merge

TEXT = "The mill turns.\n\nIt is old.\n\nNobody minds.\n"
_texts = st.lists(st.sampled_from(("mill ", "tide ", ". ", "\n", "turns", " ", "夜")), max_size=12).map(
    "".join
)


@given(_texts, _texts)
def test_one_change_alone_is_the_outcome(origin: str, changed: str) -> None:
    assert merge(origin, changed, origin) == Merged(changed)
    assert merge(origin, origin, changed) == Merged(changed)
    assert merge(origin, changed, changed) == Merged(changed)


@given(_texts, _texts, _texts)
def test_two_changes_that_fit_do_so_whichever_is_named_first(origin: str, one: str, other: str) -> None:
    merged, turned = merge(origin, one, other), merge(origin, other, one)
    assert bool(merged.conflicts) == bool(turned.conflicts)
    if not merged.conflicts:
        assert merged == turned


def test_changes_at_different_places_come_together() -> None:
    one = TEXT.replace("turns", "stands").replace("minds", "cares")
    assert merge(TEXT, one, TEXT.replace("old", "new")) == Merged(one.replace("old", "new"))


@pytest.mark.parametrize(
    ("one", "other"), [("It was old.", "It is new."), ("It is old, or so they say.", "It is old!")]
)
def test_words_apart_come_together_and_the_same_place_conflicts(one: str, other: str) -> None:
    merged = merge(TEXT, TEXT.replace("It is old.", one), TEXT.replace("It is old.", other))
    if "was" in one:
        assert merged == Merged(TEXT.replace("It is old.", "It was new."))
    else:
        assert merged.conflicts == (3,)


def test_the_line_of_a_conflict_is_that_of_the_text_as_it_is_now() -> None:
    one = "# Head\n\n" + TEXT.replace("minds", "cares")
    assert merge(TEXT, one, TEXT.replace("minds", "knows")).conflicts == (7,)
