"""The deciders of authors, actors and the site."""

from functools import reduce
from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_request_and_context import Facts
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.actors.model import RESERVED, Actor, ActorKind, ActorRegistered, ActorRenamed
from ledgerpress.features.authors import model as authors
from ledgerpress.features.authors.commands import AuthorFacts, RegisterAuthor, RenameAuthor
from ledgerpress.features.authors.model import Author, AuthorRegistered, AuthorRenamed
from ledgerpress.features.site import model as site
from ledgerpress.features.site.commands import LocalizeSite, NameSite
from ledgerpress.features.site.model import Site, SiteLocalized, SiteNamed
from tests.user_errors import refused

ADA: Final = AuthorRegistered(author_id="a", name="Ada", slug="ada")
DESK: Final = ActorRegistered(actor_id="d", kind=ActorKind.TOKEN, name="Desk")
INVALID_NAMES: Final = [
    ("", ErrorCode.BLANK),
    (" \u200b ", ErrorCode.BLANK),
    ("x" * (text_rules.MAX_NAME + 1), ErrorCode.TOO_LONG),
    ("Ada\nBrook", ErrorCode.INVALID_TEXT),
    ("Ada\u2028Brook", ErrorCode.INVALID_TEXT),
    ("Ada\x07", ErrorCode.INVALID_TEXT),
]


def given_author(*events: Event) -> Author | None:
    return reduce(authors.evolve, events, None)


def given_actor(*events: Event) -> Actor | None:
    return reduce(actors.evolve, events, None)


def withdrawn(kind: str, stream: str) -> Withdrawn:
    return Withdrawn(type=kind, stream=stream, recorded_at=0)


# --- authors -------------------------------------------------------------------------------------


def test_an_author_is_registered_once_and_renamed() -> None:
    register, new = RegisterAuthor(name=" Ada "), AuthorFacts(new_id="a", slug="ada")
    assert register.decide(None, new) == (ADA,)
    assert register.decide(given_author(ADA), new) == ()
    renamed = AuthorRenamed(author_id="a", name="Ada Brook")
    rename = RenameAuthor(author_id="a", name="Ada Brook ")
    assert rename.decide(given_author(ADA), AuthorFacts()) == (renamed,)
    assert rename.decide(given_author(ADA, renamed), AuthorFacts()) == ()
    assert rename.decide(None, AuthorFacts()) == ()
    other_slug = AuthorRenamed(author_id="a", slug="brook")
    assert RenameAuthor(author_id="a").decide(given_author(ADA), AuthorFacts(slug="brook")) == (other_slug,)
    assert given_author(ADA, renamed, other_slug) == Author("a", "Ada Brook", "brook")


def test_the_slug_of_an_author_of_an_earlier_log_is_not_in_its_state() -> None:
    registered = AuthorRegistered(author_id="a", name="Ada")
    assert given_author(registered) == Author("a", "Ada", None)
    assert given_author(registered, AuthorRenamed(author_id="a", slug="brook")) == Author("a", "Ada", "brook")
    assert given_author(ADA, AuthorRenamed(author_id="a", name="Bo", slug=None)) == Author("a", "Bo", None)


def test_a_withdrawn_author_keeps_its_id() -> None:
    assert given_author(withdrawn("author.registered", "author.a")) == Author("a", "", "a")
    assert given_author(ADA, withdrawn("author.renamed", "author.a")) == Author("a", "Ada", "ada")
    assert given_author(
        withdrawn("author.registered", "author.a"), AuthorRenamed(author_id="a", name="A. B.")
    ) == Author("a", "A. B.", "a")


# --- actors --------------------------------------------------------------------------------------


def test_an_actor_is_registered_once_and_renamed() -> None:
    register, new = RegisterActor(kind=ActorKind.TOKEN, name=" Desk "), Facts(new_id="d")
    assert register.decide(None, new) == (DESK,)
    assert register.decide(given_actor(DESK), new) == ()
    renamed = ActorRenamed(actor_id="d", name="Night desk")
    assert RenameActor(actor_id="d", name="Night desk ").decide(given_actor(DESK), Facts()) == (renamed,)
    assert RenameActor(actor_id="d", name="Night desk").decide(given_actor(DESK, renamed), Facts()) == ()
    assert RenameActor(actor_id="d", name="Night desk").decide(None, Facts()) == ()
    assert given_actor(DESK, renamed) == Actor("d", ActorKind.TOKEN, "Night desk")


def test_a_withdrawn_actor_keeps_its_id() -> None:
    assert given_actor(withdrawn("actor.registered", "actor.d")) == Actor("d", ActorKind.HUMAN, "")
    assert given_actor(DESK, withdrawn("actor.renamed", "actor.d")) == Actor("d", ActorKind.TOKEN, "Desk")


def test_reserved_actors_have_the_same_ids_everywhere() -> None:
    assert [actor.id for actor in RESERVED] == [f"00000000-0000-8000-8000-00000000000{n}" for n in (1, 2, 3)]
    assert {actor.kind for actor in RESERVED} == {ActorKind.SYSTEM}


# --- the site ------------------------------------------------------------------------------------


def test_the_site_has_no_name_until_it_is_named() -> None:
    named = SiteNamed(name="The Tide")
    assert Site().name is None
    assert NameSite(name=" The Tide ").decide(Site(), Facts()) == (named,)
    assert NameSite(name="The Tide").decide(site.evolve(Site(), named), Facts()) == ()
    assert site.evolve(Site("The Tide"), withdrawn("site.named", "site")) == Site("The Tide")

    assert site.evolve(Site("The Tide"), withdrawn("site.localized", "site")) == Site("The Tide")


@pytest.mark.parametrize(
    ("tag", "recorded"),
    [
        ("en", "en"),
        (" EN-us ", "en-US"),
        ("ZH-hANT-tw", "zh-Hant-TW"),
        ("de-ch-1996", "de-CH-1996"),
        ("sr-latn", "sr-Latn"),
        ("es-419", "es-419"),
        ("x-NEWS-deSK", "x-news-desk"),
        ("en-x-AB-abcd", "en-x-ab-abcd"),
        ("iw", "iw"),
        ("tl", "tl"),
        ("I-Klingon", "i-klingon"),
        ("und", "und"),
    ],
)
def test_a_language_is_recorded_in_the_usual_case(tag: str, recorded: str) -> None:
    command = LocalizeSite(language=tag)
    event = SiteLocalized(language=recorded)
    assert command.decide(Site(), Facts()) == (event,)
    assert command.decide(site.evolve(Site("The Tide"), event), Facts()) == ()


@pytest.mark.parametrize(
    "tag",
    [
        "english", "xx", "en_US", "en-", "-en", "en--US", "en-GB-GB", "root", "a", "en-US.UTF-8", "C", "en-abc", "zh-yue",
        "de-1996-1996", "en-a-bbb-a-ccc", "toolonglanguage", "\uff45\uff4e", "en; q=1", '"><script>',
    ],
)  # fmt: skip
def test_an_invalid_language_tag_is_rejected(tag: str) -> None:
    with refused(ErrorCode.INVALID_VALUE, "language"):
        LocalizeSite(language=tag).decide(Site(), Facts())


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("UTC", "UTC"),
        (" europe/berlin", "Europe/Berlin"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("US/Eastern", "US/Eastern"),
        ("etc/gmt+5", "Etc/GMT+5"),
        ("asia/kathmandu", "Asia/Kathmandu"),
    ],
)
def test_a_time_zone_is_recorded_as_the_database_spells_it(name: str, recorded: str) -> None:
    command = LocalizeSite(time_zone=name)
    event = SiteLocalized(time_zone=recorded)
    assert command.decide(Site(), Facts()) == (event,)
    assert command.decide(site.evolve(Site(), event), Facts()) == ()


@pytest.mark.parametrize(
    "name",
    [
        "Berlin", "UTC+1", "+01:00", "Europe/Berlin/", "../etc/passwd", "/etc/localtime", "Factory", "localtime",
        "posix/UTC", "right/UTC", "zone.tab", "Europe", "Mars/Base", "CEST",
    ],
)  # fmt: skip
def test_an_unknown_time_zone_is_rejected(name: str) -> None:
    with refused(ErrorCode.INVALID_VALUE, "timeZone"):
        LocalizeSite(time_zone=name).decide(Site(), Facts())


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), INVALID_NAMES)
def test_an_invalid_name_is_rejected(name: str, code: ErrorCode) -> None:
    with refused(code, "name"):
        RegisterAuthor(name=name).decide(None, AuthorFacts(new_id="a", slug="ada"))
    with refused(code, "name"):
        RenameAuthor(author_id="a", name=name).decide(given_author(ADA), AuthorFacts())
    with refused(code, "name"):
        RegisterActor(kind=ActorKind.HUMAN, name=name).decide(None, Facts(new_id="d"))
    with refused(code, "name"):
        RenameActor(actor_id="d", name=name).decide(given_actor(DESK), Facts())
    with refused(code, "name"):
        NameSite(name=name).decide(Site(), Facts())
    with refused(code, "language"):
        LocalizeSite(language=name).decide(Site(), Facts())
    with refused(code, "timeZone"):
        LocalizeSite(time_zone=name).decide(Site(), Facts())


@for_all(
    st.lists(
        st.sampled_from(
            [
                ADA,
                AuthorRenamed(author_id="b", name="Bo"),
                AuthorRenamed(author_id="a", slug=None),
                withdrawn("author.registered", "author.a"),
                withdrawn("x.y", "z"),
            ]
        )
    ),
    st.lists(
        st.sampled_from(
            [
                DESK,
                ActorRenamed(actor_id="e", name="Eve"),
                withdrawn("actor.registered", "actor.d"),
                withdrawn("x.y", "z"),
            ]
        )
    ),
    st.lists(
        st.sampled_from(
            [
                SiteNamed(name="The Tide"),
                SiteLocalized(language="he"),
                SiteLocalized(time_zone="UTC"),
                withdrawn("site.named", "site"),
                withdrawn("site.localized", "site"),
                withdrawn("x.y", "z"),
            ]
        )
    ),
)
def test_every_history_is_accepted(
    author_events: list[Event], actor_events: list[Event], site_events: list[Event]
) -> None:
    given_author(*author_events)
    given_actor(*actor_events)
    reduce(site.evolve, site_events, Site())
