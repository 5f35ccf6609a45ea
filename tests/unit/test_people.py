from functools import reduce
from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.event import Withdrawn
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import (
    RESERVED,
    Actor,
    ActorEvent,
    ActorKind,
    ActorRegistered,
    ActorRenamed,
    RegisterActor,
    RenameActor,
)
from ledgerpress.features.authors import model as authors
from ledgerpress.features.authors.model import (
    Author,
    AuthorEvent,
    AuthorRegistered,
    AuthorRenamed,
    RegisterAuthor,
    RenameAuthor,
)
from ledgerpress.features.site import model as publication
from ledgerpress.features.site.model import NameSite, Site, SiteNamed
from tests.user_errors import refused

ADA: Final = AuthorRegistered(author_id="a", name="Ada")
DESK: Final = ActorRegistered(actor_id="d", kind=ActorKind.TOKEN, name="Desk")
NOT_NAMES: Final = [
    ("", ErrorCode.BLANK),
    (" \u200b ", ErrorCode.BLANK),
    ("x" * (text_rules.MAX_NAME + 1), ErrorCode.TOO_LONG),
    ("Ada\nBrook", ErrorCode.INVALID_TEXT),
    ("Ada\u2028Brook", ErrorCode.INVALID_TEXT),
    ("Ada\x07", ErrorCode.INVALID_TEXT),
]


def given_author(*events: AuthorEvent) -> Author | None:
    return reduce(authors.evolve, events, None)


def given_actor(*events: ActorEvent) -> Actor | None:
    return reduce(actors.evolve, events, None)


def gone(kind: str, stream: str) -> Withdrawn:
    return Withdrawn(type=kind, stream=stream, recorded_at=0)


# --- authors -------------------------------------------------------------------------------------


def test_an_author_is_registered_once_and_renamed() -> None:
    register = RegisterAuthor(author_id="a", name=" Ada ")
    assert authors.decide(register, None) == (ADA,)
    assert authors.decide(register, given_author(ADA)) == ()
    renamed = AuthorRenamed(author_id="a", name="Ada Brook")
    assert authors.decide(RenameAuthor(name="Ada Brook "), given_author(ADA)) == (renamed,)
    assert authors.decide(RenameAuthor(name="Ada Brook"), given_author(ADA, renamed)) == ()
    assert authors.decide(RenameAuthor(name="Ada Brook"), None) == ()


def test_of_a_withdrawn_author_the_id_remains() -> None:
    assert given_author(gone("author.registered", "author.a")) == Author("a", "")
    assert given_author(ADA, gone("author.renamed", "author.a")) == Author("a", "Ada")
    assert given_author(
        gone("author.registered", "author.a"), AuthorRenamed(author_id="a", name="A. B.")
    ) == Author("a", "A. B.")


# --- actors --------------------------------------------------------------------------------------


def test_an_actor_is_registered_once_and_renamed() -> None:
    register = RegisterActor(actor_id="d", kind=ActorKind.TOKEN, name=" Desk ")
    assert actors.decide(register, None) == (DESK,)
    assert actors.decide(register, given_actor(DESK)) == ()
    renamed = ActorRenamed(actor_id="d", name="Night desk")
    assert actors.decide(RenameActor(name="Night desk "), given_actor(DESK)) == (renamed,)
    assert actors.decide(RenameActor(name="Night desk"), given_actor(DESK, renamed)) == ()
    assert actors.decide(RenameActor(name="Night desk"), None) == ()
    assert given_actor(DESK, renamed) == Actor("d", ActorKind.TOKEN, "Night desk")


def test_of_a_withdrawn_actor_the_id_remains() -> None:
    assert given_actor(gone("actor.registered", "actor.d")) == Actor("d", ActorKind.HUMAN, "")
    assert given_actor(DESK, gone("actor.renamed", "actor.d")) == Actor("d", ActorKind.TOKEN, "Desk")


def test_reserved_actors_have_the_same_ids_everywhere() -> None:
    assert [actor.id for actor in RESERVED] == [f"00000000-0000-8000-8000-00000000000{n}" for n in (1, 2, 3)]
    assert {actor.kind for actor in RESERVED} == {ActorKind.SYSTEM}


# --- the site ------------------------------------------------------------------------------------


def test_the_site_has_a_name_once_it_is_given_one() -> None:
    named = SiteNamed(name="The Tide")
    assert Site().name is None
    assert publication.decide(NameSite(name=" The Tide "), Site()) == (named,)
    assert publication.decide(NameSite(name="The Tide"), publication.evolve(Site(), named)) == ()
    assert publication.evolve(Site("The Tide"), gone("site.named", "site")) == Site("The Tide")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), NOT_NAMES)
def test_what_is_no_name_is_refused(name: str, code: ErrorCode) -> None:
    with refused(code, "name"):
        authors.decide(RegisterAuthor(author_id="a", name=name), None)
    with refused(code, "name"):
        authors.decide(RenameAuthor(name=name), given_author(ADA))
    with refused(code, "name"):
        actors.decide(RegisterActor(actor_id="d", kind=ActorKind.HUMAN, name=name), None)
    with refused(code, "name"):
        actors.decide(RenameActor(name=name), given_actor(DESK))
    with refused(code, "name"):
        publication.decide(NameSite(name=name), Site())


@for_all(
    st.lists(
        st.sampled_from(
            [
                ADA,
                AuthorRenamed(author_id="b", name="Bo"),
                gone("author.registered", "author.a"),
                gone("x.y", "z"),
            ]
        )
    ),
    st.lists(
        st.sampled_from(
            [
                DESK,
                ActorRenamed(actor_id="e", name="Eve"),
                gone("actor.registered", "actor.d"),
                gone("x.y", "z"),
            ]
        )
    ),
    st.lists(st.sampled_from([SiteNamed(name="The Tide"), gone("site.named", "site")])),
)
def test_no_history_is_refused(
    of_author: list[AuthorEvent], of_actor: list[ActorEvent], of_site: list[SiteNamed | Withdrawn]
) -> None:
    given_author(*of_author)
    given_actor(*of_actor)
    reduce(publication.evolve, of_site, Site())
