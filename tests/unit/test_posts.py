"""The deciders of posts, and the state that their events give."""

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_request_and_context import Facts
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.envelope import MAX_PAYLOAD_BYTES
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.create_edit_categorize_commands import (
    CategorizePost,
    CategoryFacts,
    ContentFacts,
    CreatePost,
    EditPost,
    NewPostFacts,
    PostCommand,
    UncategorizePost,
)
from ledgerpress.features.posts.lifecycle_commands import (
    ArchivePost,
    PublishPost,
    UnarchiveFacts,
    UnarchivePost,
    UnpublishPost,
)
from ledgerpress.features.posts.model import (
    POST_ARCHIVED,
    POST_NOT_PUBLISHED,
    PUBLISHED_AT_IN_FUTURE,
    Post,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
    PostPublished,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.features.registry import event_codec
from tests.user_errors import refused

NOW: Final = 1_714_809_600_000_000
DAY: Final = 86_400_000_000
CREATED: Final = PostCreated(
    post_id="p",
    slug="mill",
    title="Mill",
    teaser="Turns.",
    body="Two wheels.",
    author_ids=("a",),
    slug_derived=False,
)
PUBLISHED: Final = PostPublished(post_id="p", revision=1, published_at=NOW - DAY, correction=None)
EDITED: Final = PostEdited(post_id="p", title="Tide mill")
UNPUBLISHED: Final = PostUnpublished(post_id="p")
ARCHIVED: Final = PostArchived(post_id="p")
UNARCHIVED: Final = PostUnarchived(post_id="p")


def post_of(*events: Event) -> Post:
    post = reduce(posts.evolve, events, None)
    assert post
    return post


def after_all(post: Post, events: Iterable[Event]) -> Post:
    for event in events:
        post = posts.evolve(post, event) or post
    return post


class CommandWithFacts(NamedTuple):
    """A command and the facts for its decision."""

    command: PostCommand[Any]
    facts: Facts


def decide(post: Post, command: CommandWithFacts) -> list[Event]:
    return list(command.command.decide(post, command.facts))


def edit_post(**changes: Any) -> CommandWithFacts:
    return CommandWithFacts(EditPost(post_id="p", **changes), ContentFacts(now=NOW))


def created(**changes: Any) -> list[Event]:
    facts: dict[str, Any] = {name: changes.pop(name) for name in ("slug", "category_ids") if name in changes}
    command = CreatePost(**{"title": "Mill"} | changes)
    return list(command.decide(None, NewPostFacts(now=NOW, new_id="p", **{"slug": "mill"} | facts)))


def categorize(category_id: str, equivalents: frozenset[str]) -> CommandWithFacts:
    facts = CategoryFacts(category_id=category_id, equivalents=equivalents)
    return CommandWithFacts(CategorizePost(post_id="p", category=CategoryRef()), facts)


def uncategorize(equivalents: frozenset[str]) -> CommandWithFacts:
    facts = CategoryFacts(category_id="", equivalents=equivalents)
    return CommandWithFacts(UncategorizePost(post_id="p", category=CategoryRef()), facts)


def unpublish() -> CommandWithFacts:
    return CommandWithFacts(UnpublishPost(post_id="p"), Facts(now=NOW))


def archive() -> CommandWithFacts:
    return CommandWithFacts(ArchivePost(post_id="p"), Facts(now=NOW))


def unarchive() -> CommandWithFacts:
    return CommandWithFacts(UnarchivePost(post_id="p"), UnarchiveFacts(now=NOW))


def publish(published_at: int | None = None, correction: str | None = None) -> CommandWithFacts:
    command = PublishPost(post_id="p", published_at=published_at, correction=correction)
    return CommandWithFacts(command, Facts(now=NOW))


def withdrawn(kind: str) -> Withdrawn:
    return Withdrawn(type=kind, stream="post.p", recorded_at=NOW)


# --- slugs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "title", "is_derived"),
    [
        ("mill", "Mill", True),
        ("mill-2", "Mill", True),
        ("mill-12", "Mill!", True),
        ("mill-02", "Mill", False),
        ("mill-1", "Mill", False),
        ("mill-two", "Mill", False),
        ("tide-mill", "Mill", False),
        ("top-10", "Top 10", True),
        ("post", "🎈", True),
        ("post-3", "🎈", True),
        ("lété", "L’été", True),  # as earlier versions derived it
        ("l-été", "L’été", True),
    ],
)
def test_slugs_in_earlier_events_count_as_derived_if_they_equal_the_derived_slug(
    slug: str, title: str, is_derived: bool
) -> None:
    earlier = PostCreated(post_id="p", slug=slug, title=title, teaser=None, body="", author_ids=())
    assert post_of(earlier).slug_derived is is_derived
    other = PostCreated(post_id="p", slug="other", title="x", teaser=None, body="", author_ids=())
    assert not post_of(other).slug_derived
    edited = PostEdited(post_id="p", slug=slug)
    assert post_of(other, PostEdited(post_id="p", title=title), edited).slug_derived is is_derived


def test_an_explicit_slug_is_no_longer_derived_even_if_it_is_the_same() -> None:
    derived = msgspec.structs.replace(CREATED, slug_derived=True)
    pinned = PostEdited(post_id="p", slug_derived=False)
    assert decide(post_of(derived), edit_post(slug="mill")) == [pinned]
    assert decide(post_of(derived, pinned), edit_post(slug="mill")) == []
    assert decide(post_of(derived, PUBLISHED), edit_post(slug="mill")) == []


def test_a_withdrawn_archiving_of_a_draft_releases_its_slug() -> None:
    assert not post_of(CREATED, withdrawn("post.archived")).has_slug
    assert post_of(CREATED, PUBLISHED, withdrawn("post.archived")).has_slug


# --- creating ------------------------------------------------------------------------------------


def test_a_post_is_created_with_trimmed_text_and_each_author_once() -> None:
    (event,) = created(title="  Mill\n", teaser=" Turns. ", body="a\r\nb\rc", author_ids=("a", "b", "a"))
    assert event == PostCreated(
        post_id="p",
        slug="mill",
        title="Mill",
        teaser="Turns.",
        body="a\nb\nc",
        author_ids=("a", "b"),
        slug_derived=True,
    )


def test_a_post_is_created_in_its_categories_and_published_in_one_step() -> None:
    events = created(category_ids=("x", "y", "x"), publish=True)
    assert events[1:] == [
        PostCategorized(post_id="p", category_id="x"),
        PostCategorized(post_id="p", category_id="y"),
        PostPublished(post_id="p", revision=1, published_at=NOW, correction=None),
    ]


def test_a_post_can_be_published_with_a_past_date_but_not_with_a_future_date() -> None:
    assert created(publish=True, published_at=-DAY)[-1] == PostPublished(
        post_id="p", revision=1, published_at=-DAY, correction=None
    )
    assert len(created(publish=True, published_at=NOW)) == 2
    with refused(PUBLISHED_AT_IN_FUTURE, "publishedAt"):
        created(publish=True, published_at=NOW + 1)


def test_a_date_without_publishing_is_rejected() -> None:
    with refused(ErrorCode.INVALID_VALUE, "publishedAt"):
        created(published_at=NOW - DAY)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "", ErrorCode.BLANK),
        ("title", " \n\t", ErrorCode.BLANK),
        ("title", "\u200b", ErrorCode.BLANK),
        ("title", "x" * (text_rules.MAX_TITLE + 1), ErrorCode.TOO_LONG),
        ("title", "two\nlines", ErrorCode.INVALID_TEXT),
        ("teaser", "x" * (text_rules.MAX_TEASER + 1), ErrorCode.TOO_LONG),
        ("teaser", "\x00", ErrorCode.INVALID_TEXT),
        ("body", "x" * (text_rules.MAX_BODY_BYTES + 1), ErrorCode.TOO_LONG),
        ("body", "é" * (text_rules.MAX_BODY_BYTES // 2 + 1), ErrorCode.TOO_LONG),
        ("body", "\x1b[31m", ErrorCode.INVALID_TEXT),
    ],
)
def test_an_invalid_title_teaser_or_body_is_rejected(field: str, value: str, code: ErrorCode) -> None:
    with refused(code, field):
        created(**{field: value})
    with refused(code, field):
        decide(post_of(CREATED), edit_post(**{field: value}))


@pytest.mark.parametrize("character", ['"', "\\", "\f", "\n", "é", "🌊"])
def test_the_largest_post_fits_into_a_payload(character: str) -> None:
    body = character * (text_rules.MAX_BODY_BYTES // len(character.encode()))
    title, teaser = '"' * text_rules.MAX_TITLE, "\\" * text_rules.MAX_TEASER
    (new,) = created(
        title=title, teaser=teaser, body=body, slug="🌊" * 100, author_ids=tuple(map(str, range(1_000)))
    )
    (edit,) = decide(post_of(CREATED), edit_post(title=title, teaser=teaser, body=body))
    for event in (new, edit):
        sealed = event_codec().encode(
            event,
            salt=bytes(32),
            reason='"' * text_rules.MAX_NOTE,
            idempotency_key='"' * text_rules.MAX_IDEMPOTENCY_KEY,
            trace_id="f" * 64,
            fingerprint="f" * 64,
        )
        assert len(sealed.plaintext) <= MAX_PAYLOAD_BYTES


# --- editing -------------------------------------------------------------------------------------


def test_only_what_changed_is_recorded() -> None:
    edit = edit_post(slug="mill", title="Tide mill", teaser="Turns.", body="Two wheels.", author_ids=("a",))
    assert decide(post_of(CREATED), edit) == [PostEdited(post_id="p", title="Tide mill")]


def test_an_edit_that_changes_nothing_records_no_event() -> None:
    edit = edit_post(slug="mill", title=" Mill ", teaser="Turns.", body="Two wheels.", author_ids=("a", "a"))
    assert decide(post_of(CREATED), edit) == []
    assert decide(post_of(CREATED), edit_post()) == []


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_null_and_blank_clear_the_teaser(nothing: str | None) -> None:
    assert decide(post_of(CREATED), edit_post(teaser=nothing)) == [PostEdited(post_id="p", teaser=None)]
    assert decide(post_of(CREATED, PostEdited(post_id="p", teaser=None)), edit_post(teaser=nothing)) == []


def test_recorded_text_stays_as_it_is_although_new_commands_may_not_write_it() -> None:
    old = PostCreated(
        post_id="p",
        slug="mill\u3164",
        title="\u3164",
        teaser="\u200b",
        body="\ufeff# One\v\x85\u2028",
        author_ids=(),
    )
    post = post_of(old)
    assert (post.content.title, post.content.teaser, post.content.body) == (old.title, old.teaser, old.body)
    assert decide(post, edit_post(body="# One")) == [PostEdited(post_id="p", body="# One")]
    with refused(ErrorCode.BLANK, "title"):
        decide(post, edit_post(title="\u3164"))


def test_authors_are_replaced_in_their_order() -> None:
    (edit,) = decide(post_of(CREATED), edit_post(author_ids=("b", "a", "b")))
    assert edit == PostEdited(post_id="p", author_ids=("b", "a"))
    assert post_of(CREATED, edit).content.author_ids == ("b", "a")


def test_an_edit_does_not_change_the_published_article() -> None:
    post = post_of(CREATED, PUBLISHED, EDITED)
    assert (
        post.lifecycle.revision,
        post.lifecycle.live_revision,
        post.lifecycle.has_unpublished_changes,
    ) == (2, 1, True)


def test_edit_and_publish_are_one_step() -> None:
    edit = edit_post(title="Tide mill", publish=True)
    assert decide(post_of(CREATED, PUBLISHED), edit) == [
        PostEdited(post_id="p", title="Tide mill"),
        PostPublished(post_id="p", revision=2, published_at=NOW - DAY, correction=None),
    ]
    assert decide(post_of(CREATED, PUBLISHED, EDITED, PUBLISHED_AGAIN), edit) == []


PUBLISHED_AGAIN: Final = PostPublished(post_id="p", revision=2, published_at=NOW - DAY, correction=None)


# --- categories ----------------------------------------------------------------------------------


def test_a_post_is_in_a_category_once_under_any_id_of_the_category() -> None:
    into = categorize(category_id="x", equivalents=frozenset({"x", "old"}))
    assert decide(post_of(CREATED), into) == [PostCategorized(post_id="p", category_id="x")]
    for category_id in ("x", "old"):
        assert decide(post_of(CREATED, PostCategorized(post_id="p", category_id=category_id)), into) == []


def test_a_post_is_removed_from_a_category_under_every_id_of_the_category() -> None:
    post = post_of(CREATED, *(PostCategorized(post_id="p", category_id=id_) for id_ in ("old", "x", "other")))
    out = uncategorize(equivalents=frozenset({"x", "old"}))
    events = decide(post, out)
    assert events == [
        PostUncategorized(post_id="p", category_id="old"),
        PostUncategorized(post_id="p", category_id="x"),
    ]
    assert after_all(post, events) == post_of(CREATED, PostCategorized(post_id="p", category_id="other"))
    assert decide(post_of(CREATED), out) == []


# --- publishing ----------------------------------------------------------------------------------


def test_publishing_first_sets_the_current_time_as_date_and_later_keeps_it() -> None:
    assert decide(post_of(CREATED), publish()) == [
        PostPublished(post_id="p", revision=1, published_at=NOW, correction=None)
    ]
    for events in (
        (PUBLISHED, EDITED),
        (PUBLISHED, UNPUBLISHED, EDITED),
        (PUBLISHED, ARCHIVED, UNARCHIVED, EDITED),
    ):
        assert decide(post_of(CREATED, *events), publish()) == [PUBLISHED_AGAIN]


def test_an_explicit_date_replaces_the_previous_date() -> None:
    assert decide(post_of(CREATED, PUBLISHED), publish(NOW - 2 * DAY)) == [
        PostPublished(post_id="p", revision=1, published_at=NOW - 2 * DAY, correction=None)
    ]
    with refused(PUBLISHED_AT_IN_FUTURE, "publishedAt"):
        decide(post_of(CREATED, PUBLISHED), publish(NOW + 1))


def test_publishing_a_published_post_again_records_no_event() -> None:
    post = post_of(CREATED, PUBLISHED)
    assert decide(post, publish()) == []
    assert decide(post, publish(NOW - DAY)) == []
    assert decide(post, publish(correction="  ")) == []


def test_an_unpublished_post_is_published_again_unchanged() -> None:
    assert decide(post_of(CREATED, PUBLISHED, UNPUBLISHED), publish()) == [PUBLISHED]


def test_a_correction_without_an_edit_is_published() -> None:
    assert decide(post_of(CREATED, PUBLISHED), publish(correction=" Three wheels. ")) == [
        PostPublished(post_id="p", revision=1, published_at=NOW - DAY, correction="Three wheels.")
    ]
    with refused(ErrorCode.TOO_LONG, "correction"):
        decide(post_of(CREATED, PUBLISHED), publish(correction="x" * (text_rules.MAX_NOTE + 1)))


def test_a_post_remembers_its_published_slugs() -> None:
    post = post_of(
        CREATED,
        PUBLISHED,
        PostEdited(post_id="p", slug="a"),
        PostEdited(post_id="p", slug="b"),
        PUBLISHED_AGAIN,
    )
    assert post.published_slugs == {"mill", "b"}


def test_only_a_post_that_was_published_can_be_unpublished() -> None:
    assert decide(post_of(CREATED, PUBLISHED), unpublish()) == [UNPUBLISHED]
    assert decide(post_of(CREATED, PUBLISHED, UNPUBLISHED), unpublish()) == []
    with refused(POST_NOT_PUBLISHED, "id"):
        decide(post_of(CREATED), unpublish())


# --- the archive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (PUBLISHED,), (PUBLISHED, UNPUBLISHED)])
def test_any_post_can_be_archived_once(before: tuple[Event, ...]) -> None:
    archived = PostArchived(post_id="p", slug_released=not before)
    assert decide(post_of(CREATED, *before), archive()) == [archived]
    assert decide(post_of(CREATED, *before, ARCHIVED), archive()) == []
    assert decide(post_of(CREATED, *before), unarchive()) == []
    assert decide(post_of(CREATED, *before, ARCHIVED), unarchive()) == [UNARCHIVED]


@pytest.mark.parametrize(
    "command",
    [
        edit_post(title="Tide mill"),
        edit_post(),
        categorize(category_id="x", equivalents=frozenset("x")),
        uncategorize(equivalents=frozenset("x")),
        publish(),
        unpublish(),
    ],
)
def test_an_archived_post_rejects_all_other_commands(command: CommandWithFacts) -> None:
    with refused(POST_ARCHIVED, "id"):
        decide(post_of(CREATED, PUBLISHED, ARCHIVED), command)


def test_unarchiving_gives_a_draft_or_an_unpublished_post() -> None:
    assert post_of(CREATED, ARCHIVED, UNARCHIVED).lifecycle.status is PostStatus.DRAFT
    assert post_of(CREATED, PUBLISHED, ARCHIVED, UNARCHIVED).lifecycle.status is PostStatus.UNPUBLISHED


# --- withdrawn payloads --------------------------------------------------------------------------


def test_a_post_with_a_withdrawn_creation_is_an_empty_draft() -> None:
    post = post_of(withdrawn("post.created"))
    assert (post.id, post.lifecycle.status, post.lifecycle.revision) == ("p", PostStatus.DRAFT, 1)
    assert (post.content.slug, post.content.title, post.content.teaser, post.content.body) == (
        "p",
        "",
        None,
        "",
    )


def test_a_withdrawn_edit_still_counts_as_a_revision() -> None:
    post = post_of(CREATED, PUBLISHED, withdrawn("post.edited"))
    assert (post.lifecycle.revision, post.content, post.lifecycle.has_unpublished_changes) == (
        2,
        post_of(CREATED).content,
        True,
    )


def test_an_article_whose_publishing_is_withdrawn_has_the_date_of_recording() -> None:
    first = post_of(CREATED, withdrawn("post.published"))
    assert (first.lifecycle.status, first.lifecycle.published_at, first.lifecycle.live_revision) == (
        PostStatus.PUBLISHED,
        NOW,
        1,
    )
    again = post_of(CREATED, PUBLISHED, EDITED, withdrawn("post.published"))
    assert (again.lifecycle.published_at, again.lifecycle.live_revision) == (NOW - DAY, 2)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("post.unpublished", PostStatus.UNPUBLISHED),
        ("post.archived", PostStatus.ARCHIVED),
        ("post.unarchived", PostStatus.UNPUBLISHED),
        ("post.categorized", PostStatus.PUBLISHED),
        ("post.uncategorized", PostStatus.PUBLISHED),
        ("post.something-later", PostStatus.PUBLISHED),
    ],
)
def test_other_withdrawn_events_still_change_the_status(event: str, status: PostStatus) -> None:
    assert post_of(CREATED, PUBLISHED, withdrawn(event)).lifecycle.status is status


# --- for all histories ---------------------------------------------------------------------------

_ids = st.sampled_from(["p", "q"])
_words = st.sampled_from(["", "mill", "night"])
_maybe = st.just(UNSET) | _words
events: Final[st.SearchStrategy[Event]] = st.one_of(
    st.builds(PostCreated, post_id=_ids, slug=_words, title=_words, teaser=st.none() | _words, body=_words, author_ids=st.just(())),
    st.builds(PostEdited, post_id=_ids, slug=_maybe, title=_maybe, teaser=st.none() | _maybe, body=_maybe),
    st.builds(PostCategorized, post_id=_ids, category_id=_words),
    st.builds(PostUncategorized, post_id=_ids, category_id=_words),
    st.builds(PostPublished, post_id=_ids, revision=st.integers(-3, 9), published_at=st.integers(-9, NOW), correction=st.none()),
    st.builds(PostUnpublished, post_id=_ids),
    st.builds(PostArchived, post_id=_ids),
    st.builds(PostUnarchived, post_id=_ids),
    st.builds(
        Withdrawn,
        type=st.sampled_from(["created", "edited", "published", "archived", "unarchived", "new"]).map("post.{}".format),
        stream=st.just("post.p"),
        recorded_at=st.integers(0, NOW),
    ),
)  # fmt: skip
commands: Final[st.SearchStrategy[CommandWithFacts]] = st.one_of(
    st.builds(edit_post, title=_maybe, teaser=st.none() | _maybe, body=_maybe, slug=_maybe, publish=st.booleans()),
    st.builds(categorize, category_id=st.just("x"), equivalents=st.frozensets(_words).map(lambda old: old | {"x"})),
    st.builds(uncategorize, equivalents=st.frozensets(_words)),
    st.builds(publish, published_at=st.none() | st.integers(-9, NOW + 9), correction=st.none() | _words),
    st.builds(unpublish),
    st.builds(archive),
    st.builds(unarchive),
)  # fmt: skip


@for_all(st.lists(events))
def test_every_history_is_accepted(history: list[Event]) -> None:
    reduce(posts.evolve, history, None)


@for_all(st.lists(events), commands)
def test_deciding_is_pure_and_a_repeated_command_records_no_event(
    history: list[Event], command: CommandWithFacts
) -> None:
    post = post_of(CREATED, *history)
    try:
        first = decide(post, command)
    except Rejection as rejection:
        with refused(rejection.code, *rejection.field):
            decide(post, command)
        return
    assert decide(post, command) == first
    after = after_all(post, first)
    if not (isinstance(command.command, PublishPost) and command.command.correction):
        assert decide(after, command) == []
