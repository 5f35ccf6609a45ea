"""Slugs: how they are derived from titles, their owners, and their streams."""

import hashlib
import hmac
import unicodedata
from functools import reduce
from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.event_and_withdrawn_event import Withdrawn
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import (
    SLUG_MALFORMED,
    SLUG_TAKEN,
    Slug,
    SlugClaimed,
    SlugEvent,
    SlugKind,
    SlugReleased,
)
from tests.user_errors import refused

POST: Final = SlugKind.POST
CLAIMED: Final = SlugClaimed(kind=POST, slug="mill", owner_id="me")
RELEASED: Final = SlugReleased(kind=POST, slug="mill", owner_id="me")

DERIVED: Final = {
    "The tide mill turns again": "the-tide-mill-turns-again",
    "  Ends -- & begins!? ": "ends-begins",
    "Don’t stop, it's O'Brien": "dont-stop-its-obrien",
    "C++ in 2024/25": "c-in-2024-25",
    "Über die Straße": "über-die-straße",
    "E\u0301te\u0301": "été",
    "रात का बाज़ार": unicodedata.normalize("NFC", "रात-का-बाज़ार"),
    "क्\u200dष": "क्ष",
    "İstanbul’da gece": "i\u0307stanbulda-gece",
    "ISPARTA": "isparta",
    "ΟΔΥΣΣΕΥΣ": "οδυσσευς",
    "Ночной рынок": "ночной-рынок",
    "夜市，开到两点": "夜市-开到两点",
    "سوق الليل ١٢": "سوق-الليل-١٢",
    "می\u200cخواهم": "میخواهم",
    "ตลาดกลางคืน": "ตลาดกลางคืน",
    "한밤의 시장": "한밤의-시장",
    "Zei\u00adtung": "zeitung",
    "❤\ufe0f Love 👩🏽\u200d🚀 space": "love-space",
    "1\ufe0f\u20e3 First": "1-first",
    "\u0301accent first": "accent-first",
}
MALFORMED: Final = [
    "", "-", "a-", "-a", "a--b", "A", "Straße", "a b", "a_b", "a/b", "a.b", "é\u0301 ", "e\u0301", "É", "🎈", "a-🎈", "a\u200db",
    "a\ufe0f", "\u0301a", "a-\u0301b", "1\u20e3", "İ", "a\n", "%61",
]  # fmt: skip


# --- format --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "slug"), DERIVED.items())
def test_a_slug_is_derived_from_a_title_in_any_script(title: str, slug: str) -> None:
    assert slugs.derive(title, fallback="post") == slug
    assert slugs.checked(slug) == slug


@pytest.mark.parametrize("title", ["", "🎈", "!?", "\u200b", "\ufe0f", "’", "\ud800"])
def test_a_title_without_letters_gets_the_fallback(title: str) -> None:
    assert slugs.derive(title, fallback="post") == "post"


def test_a_long_title_is_cut_between_words() -> None:
    assert slugs.derive("tide " * 40, fallback="post") == "-".join(["tide"] * 16)
    assert slugs.derive("x" * 200, fallback="post") == "x" * 80
    assert slugs.derive("x" * 79 + " yz", fallback="post") == "x" * 79


def test_a_long_word_is_not_cut_between_a_letter_and_its_marks() -> None:
    slug = slugs.derive("x" + "กำ้" * 60, fallback="post")
    assert len(slug) <= 80
    assert not unicodedata.category(("x" + "กำ้" * 60)[len(slug)]).startswith("M")


@for_all(st.text(max_size=200))
def test_a_derived_slug_is_well_formed_and_stable(title: str) -> None:
    slug = slugs.derive(title, fallback="post")
    assert slugs.is_well_formed(slug)
    assert slugs.derive(slug, fallback="other") == slug
    for number in (1, 2, 10, 12_345):
        assert slugs.is_well_formed(slugs.numbered(slug, number))


@pytest.mark.parametrize("slug", MALFORMED)
def test_a_malformed_slug_is_rejected_with_a_proposal_if_there_is_one(slug: str) -> None:
    with refused(SLUG_MALFORMED, "slug") as rejection:
        slugs.checked(slug)
    proposal = slugs.derive(slug, fallback="")
    assert (f"Try “{proposal}”." in rejection.value.message) == bool(proposal)


def test_a_slug_has_at_most_100_characters() -> None:
    assert slugs.checked("x" * 100)
    with refused(ErrorCode.TOO_LONG, "slug"):
        slugs.checked("x" * 101)
    assert slugs.numbered("x" * 100, 12) == "x" * 97 + "-12"
    assert slugs.numbered("x" * 97 + "-yz", 12) == "x" * 97 + "-12"
    assert slugs.numbered("mill", 1) == "mill"


# --- owners --------------------------------------------------------------------------------------


def slug_of(*events: SlugEvent) -> Slug:
    return reduce(slugs.evolve, events, Slug())


def claim(state: Slug, owner_id: str) -> tuple[SlugEvent, ...]:
    return slugs.claim(state, kind=POST, slug="mill", owner_id=owner_id)


def release(state: Slug, owner_id: str) -> tuple[SlugEvent, ...]:
    return slugs.release(state, kind=POST, slug="mill", owner_id=owner_id)


def test_a_free_slug_can_be_claimed_by_any_owner() -> None:
    assert claim(slug_of(), "me") == (CLAIMED,)
    assert claim(slug_of(CLAIMED, RELEASED), "me") == (CLAIMED,)
    assert claim(slug_of(SlugClaimed(kind=POST, slug="mill", owner_id="you"), RELEASED), "me") == (CLAIMED,)


def test_a_claimed_slug_is_rejected_for_everyone_except_its_owner() -> None:
    assert claim(slug_of(CLAIMED), "me") == ()
    with refused(SLUG_TAKEN, "slug"):
        claim(slug_of(CLAIMED), "you")


def test_only_the_owner_can_release_a_slug() -> None:
    assert release(slug_of(CLAIMED), "me") == (RELEASED,)
    assert release(slug_of(CLAIMED), "you") == ()
    assert release(slug_of(), "me") == ()


def test_a_slug_with_a_withdrawn_claim_has_an_unknown_owner() -> None:
    def withdrawn(kind: str) -> Withdrawn:
        return Withdrawn(type=kind, stream="slug.post.00", recorded_at=0)

    with refused(SLUG_TAKEN, "slug"):
        claim(slug_of(withdrawn("slug.claimed")), "me")
    assert claim(slug_of(CLAIMED, withdrawn("slug.released")), "me") == (CLAIMED,)
    assert slug_of(withdrawn("slug.claimed"), withdrawn("slug.released")) == Slug(None)


@for_all(
    st.lists(
        st.sampled_from([CLAIMED, RELEASED, SlugClaimed(kind=POST, slug="mill", owner_id="you")])
        | st.sampled_from(["slug.claimed", "slug.released", "slug.new"]).map(
            lambda kind: Withdrawn(type=kind, stream="slug.post.00", recorded_at=0)
        )
    )
)
def test_every_history_is_accepted(history: list[SlugEvent]) -> None:
    slug_of(*history)


# --- streams -------------------------------------------------------------------------------------


def test_the_stream_name_of_a_slug_does_not_reveal_the_slug() -> None:
    key = bytes(range(32))
    digest = hmac.new(key, "रात".encode(), hashlib.sha256).hexdigest()
    assert slugs.SLUGS.stream(slugs.stream_id(POST, "रात", key)) == f"slug.post.{digest}"
    assert slugs.SLUGS.stream(slugs.stream_id(SlugKind.CATEGORY, "रात", key)) == f"slug.category.{digest}"
    assert slugs.SLUGS.stream(slugs.stream_id(POST, "रात", bytes(32))) != f"slug.post.{digest}"
