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
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.authors.model import Author, AuthorRegistered, AuthorRenamed
from ledgerpress.features.site import model as site
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.site.model import Site, SiteNamed
from tests.user_errors import refused

ADA: Final = AuthorRegistered(author_id="a", name="Ada")
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
    register, new = RegisterAuthor(name=" Ada "), Facts(new_id="a")
    assert register.decide(None, new) == (ADA,)
    assert register.decide(given_author(ADA), new) == ()
    renamed = AuthorRenamed(author_id="a", name="Ada Brook")
    assert RenameAuthor(author_id="a", name="Ada Brook ").decide(given_author(ADA), Facts()) == (renamed,)
    assert RenameAuthor(author_id="a", name="Ada Brook").decide(given_author(ADA, renamed), Facts()) == ()
    assert RenameAuthor(author_id="a", name="Ada Brook").decide(None, Facts()) == ()


def test_a_withdrawn_author_keeps_its_id() -> None:
    assert given_author(withdrawn("author.registered", "author.a")) == Author("a", "")
    assert given_author(ADA, withdrawn("author.renamed", "author.a")) == Author("a", "Ada")
    assert given_author(
        withdrawn("author.registered", "author.a"), AuthorRenamed(author_id="a", name="A. B.")
    ) == Author("a", "A. B.")


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


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), INVALID_NAMES)
def test_an_invalid_name_is_rejected(name: str, code: ErrorCode) -> None:
    with refused(code, "name"):
        RegisterAuthor(name=name).decide(None, Facts(new_id="a"))
    with refused(code, "name"):
        RenameAuthor(author_id="a", name=name).decide(given_author(ADA), Facts())
    with refused(code, "name"):
        RegisterActor(kind=ActorKind.HUMAN, name=name).decide(None, Facts(new_id="d"))
    with refused(code, "name"):
        RenameActor(actor_id="d", name=name).decide(given_actor(DESK), Facts())
    with refused(code, "name"):
        NameSite(name=name).decide(Site(), Facts())


@for_all(
    st.lists(
        st.sampled_from(
            [
                ADA,
                AuthorRenamed(author_id="b", name="Bo"),
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
    st.lists(st.sampled_from([SiteNamed(name="The Tide"), withdrawn("site.named", "site")])),
)
def test_every_history_is_accepted(
    author_events: list[Event], actor_events: list[Event], site_events: list[SiteNamed | Withdrawn]
) -> None:
    given_author(*author_events)
    given_actor(*actor_events)
    reduce(site.evolve, site_events, Site())
