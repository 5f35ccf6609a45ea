"""Slugs: how they are derived from titles, their owners, and their streams."""

import hashlib
import hmac
import unicodedata
from functools import reduce
from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands.errors import ErrorCode, Rejection
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
    "İstanbul gezi rehberi": "istanbul-gezi-rehberi",
    "İstanbul’da gece": "istanbulda-gece",
    "I\u0307ZMI\u0307R": "izmir",  # the same letters in NFD
    "J\u0307 and \u012e\u0307": "j-and-\u012f",  # Lithuanian dictionaries
    "\u1eca\u0307 І\u0307 I\u0325\u0307": "\u1ecb-і-i\u0325",  # other letters with a dot, also with marks below
    "Żółć": "żółć",
    "ISPARTA": "isparta",
    "ΟΔΥΣΣΕΥΣ": "οδυσσευς",
    "Ночной рынок": "ночной-рынок",
    "夜市，开到两点": "夜市-开到两点",
    "سوق الليل ١٢": "سوق-الليل-١٢",
    "می\u200cخواهم": "می-خواهم",
    "ตลาดกลางคืน": "ตลาดกลางคืน",
    "한밤의 시장": "한밤의-시장",
    "Zei\u00adtung": "zeitung",
    "❤\ufe0f Love 👩🏽\u200d🚀 space": "love-space",
    "1\ufe0f\u20e3 First": "1-first",
    "\u0301accent first": "accent-first",
}
APOSTROPHES: Final = {
    "L’été": "l-été",
    "L'ÉTÉ": "l-été",
    "L’\u2060été d’\u200bAnne": "l-été-d-anne",
    "c'est qu'il m'énerve": "c-est-qu-il-m-énerve",
    "Lorsqu’on s’y met aujourd’hui": "lorsqu-on-s-y-met-aujourd-hui",
    "L’«été» de l’homme d’affaires": "l-été-de-l-homme-d-affaires",
    "Ç’a été la grand’mère": "ç-a-été-la-grand-mère",
    "Dell’arte, quell’uomo, cos’è l’8 marzo": "dell-arte-quell-uomo-cos-è-l-8-marzo",
    "Arribada a l’Hospitalet": "arribada-a-l-hospitalet",
    "D’Stad Lëtzebuerg": "d-stad-lëtzebuerg",
    "L\u2018eau, l\u02bceau, l\uff07eau": "l-eau-l-eau-l-eau",
    "Hawai‘i": "hawaii",
    "Hawaiʻi, Oʻahu, ‘Iolani, ʻIolani": "hawaii-oahu-iolani-iolani",
    "Hawai'i in Nuku’alofa": "hawaii-in-nukualofa",
    "Oʻzbekiston, Qurʾān, ʿAbd": "ozbekiston-qurān-abd",
    "Ada’s": "adas",
    "Bell’s, Dell's, Nell’s, the UN’s, all’s well": "bells-dells-nells-the-uns-alls-well",
    "Don’t, I'll, we're, you’ve, I'd've, o'clock": "dont-ill-were-youve-idve-oclock",
    "O’Brien and O'Hara rock 'n' roll": "obrien-and-ohara-rock-n-roll",
    "Ankara’ya, Atatürk’ün": "ankaraya-atatürkün",
    "комп’ютер і об'єкт": "компютер-і-обєкт",
    "C’hoari": "choari",
    "The ‘best’ of ’24": "the-best-of-24",
    "他说‘你好’": "他说-你好",
}
COMPATIBILITY: Final = {
    "ﬁnance": "finance",
    "ＬｅｄｇｅｒＰｒｅｓｓ　２０２４": "ledgerpress-2024",
    "ﾊﾝｶｸ ｶﾞｲﾄﾞ": "ハンカク-ガイド",
    "𝐁𝐨𝐥𝐝 Ⅳ №5 ㎏": "bold-iv-no5-kg",
    "ᴵndex": "index",
    "ﻻ ﺑﺄﺱ": "لا-بأس",
    "2½ years, 10⁵ m², CO₂": "2-1-2-years-10-5-m2-co2",
    "Brand™ news": "brand-news",
    "ㅋㅋㅋ": "ㅋㅋㅋ",
    "น้ำ ນ້ຳ ໜ": "น้ำ-ນ້ຳ-ໜ",
}
NON_JOINERS: Final = {
    "کتاب\u200cها": "کتاب-ها",
    "Auf\u200clage": "auf-lage",
    "می\u200c\u200cشود\u200c": "می-شود",
    "ಸಾಫ್ಟ್\u200cವೇರ್": "ಸಾಫ್ಟ್ವೇರ್",
    "র\u200c্য": "র্য",
    "ශ්\u200dරී": "ශ්රී",
}
MALFORMED: Final = [
    "", "-", "a-", "-a", "a--b", "A", "Straße", "a b", "a_b", "a/b", "a.b", "é\u0301 ", "É", "🎈", "a-🎈", "a\u200db",
    "a\ufe0f", "\u0301a", "a-\u0301b", "1\u20e3", "İ", "i\u0307", "a-j\u0307", "a\n", "%61",
]  # fmt: skip


# --- format --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "slug"), [*DERIVED.items(), *APOSTROPHES.items(), *COMPATIBILITY.items(), *NON_JOINERS.items()]
)
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


LETTERS: Final = st.characters() | st.sampled_from(
    "iIİjJĮỊі\u0307\u0325\u0301'’‘ʻ\u200c\u200dldqucsﬁｆ½2ำㅋ् "
)


@for_all(st.text(LETTERS, max_size=40))
def test_a_derived_slug_has_no_invisible_dots_okinas_or_compatibility_forms(title: str) -> None:
    slug = slugs.derive(title, fallback="post")
    assert slug == slugs.normalized(slug) == slugs.lower(slug)
    assert not set(slug) & set("ʻʼ'’‘\u200c\u200d")
    for mark in ("i\u0307", "j\u0307"):
        assert mark not in unicodedata.normalize("NFD", slug)
    replaced = {character for character in slug if unicodedata.normalize("NFKC", character) != character}
    assert all(character in "ำຳໜໝ" or "\u3131" <= character <= "\u318e" for character in replaced)
    assert slugs.derive(slug, fallback="other") == slug


@for_all(st.text(LETTERS, max_size=40))
def test_the_form_of_a_title_does_not_matter(title: str) -> None:
    nfd = unicodedata.normalize("NFD", title)
    assert slugs.derive(nfd, fallback="post") == slugs.derive(
        unicodedata.normalize("NFC", nfd), fallback="post"
    )


@pytest.mark.parametrize("slug", ["été", "가나", "रात-का-बाज़ार", "å-ö"])
def test_a_new_slug_is_recorded_in_nfc(slug: str) -> None:
    assert slugs.checked(unicodedata.normalize("NFD", slug)) == unicodedata.normalize("NFC", slug)


def test_an_invisible_dot_is_named() -> None:
    with refused(SLUG_MALFORMED, "slug") as rejection:
        slugs.checked("i\u0307zmir")
    assert "U+0307" in rejection.value.message
    assert "Try “izmir”." in rejection.value.message


@pytest.mark.parametrize("character", ["\u200b", "\u3164", "\ufe0f", "\u00ad", "\ufeff"])
def test_the_message_about_an_invisible_character_names_it(character: str) -> None:
    message = f"The slug contains the invisible character U\\+{ord(character):04X}. Try “mill”."
    with pytest.raises(Rejection, match=message):
        slugs.checked(f"mi{character}ll")


def test_a_url_can_mean_the_slugs_of_earlier_versions_too() -> None:
    assert slugs.spellings("mill") == ("mill",)
    assert slugs.spellings("Mill") == ("Mill", "mill")
    assert slugs.spellings("İzmir") == ("İzmir", "i\u0307zmir", "izmir")
    for title, slug in {"İzmir’de": "i\u0307zmirde", "L’été": "lété", "Hawaiʻi ﬁ": "hawaiʻi-ﬁ"}.items():
        assert slugs.derived_formerly(title) == slug


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
