from collections.abc import Iterable
from functools import reduce
from typing import Any, Final, NamedTuple

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
    post_id="p", slug="mill", title="Mill", teaser="Turns.", body="Two wheels.", author_ids=("a",)
)
PUBLISHED: Final = PostPublished(post_id="p", revision=1, published_at=NOW - DAY, correction=None)
EDITED: Final = PostEdited(post_id="p", title="Tide mill")
UNPUBLISHED: Final = PostUnpublished(post_id="p")
ARCHIVED: Final = PostArchived(post_id="p")
UNARCHIVED: Final = PostUnarchived(post_id="p")


def given(*events: Event) -> Post:
    post = reduce(posts.evolve, events, None)
    assert post
    return post


def after_all(post: Post, events: Iterable[Event]) -> Post:
    for event in events:
        post = posts.evolve(post, event) or post
    return post


class Asked(NamedTuple):
    """A command, and the facts that it is decided with."""

    command: PostCommand[Any]
    facts: Facts


def when(post: Post, asked: Asked) -> list[Event]:
    return list(asked.command.decide(post, asked.facts))


def edit_post(**changes: Any) -> Asked:
    return Asked(EditPost(post_id="p", **changes), ContentFacts(now=NOW))


def created(**changes: Any) -> list[Event]:
    facts: dict[str, Any] = {name: changes.pop(name) for name in ("slug", "category_ids") if name in changes}
    command = CreatePost(**{"title": "Mill"} | changes)
    return list(command.decide(None, NewPostFacts(now=NOW, new_id="p", **{"slug": "mill"} | facts)))


def categorize(category_id: str, equivalents: frozenset[str]) -> Asked:
    facts = CategoryFacts(category_id=category_id, equivalents=equivalents)
    return Asked(CategorizePost(post_id="p", category=CategoryRef()), facts)


def uncategorize(equivalents: frozenset[str]) -> Asked:
    facts = CategoryFacts(category_id="", equivalents=equivalents)
    return Asked(UncategorizePost(post_id="p", category=CategoryRef()), facts)


def unpublish() -> Asked:
    return Asked(UnpublishPost(post_id="p"), Facts(now=NOW))


def archive() -> Asked:
    return Asked(ArchivePost(post_id="p"), Facts(now=NOW))


def unarchive() -> Asked:
    return Asked(UnarchivePost(post_id="p"), Facts(now=NOW))


def publish(published_at: int | None = None, correction: str | None = None) -> Asked:
    command = PublishPost(post_id="p", published_at=published_at, correction=correction)
    return Asked(command, Facts(now=NOW))


def withdrawn(kind: str) -> Withdrawn:
    return Withdrawn(type=kind, stream="post.p", recorded_at=NOW)


# --- creating ------------------------------------------------------------------------------------


def test_a_post_is_created_with_trimmed_text_and_each_author_once() -> None:
    (event,) = created(title="  Mill\n", teaser=" Turns. ", body="a\r\nb\rc", author_ids=("a", "b", "a"))
    assert event == PostCreated(
        post_id="p", slug="mill", title="Mill", teaser="Turns.", body="a\nb\nc", author_ids=("a", "b")
    )


def test_a_post_is_created_in_its_categories_and_published_in_one_step() -> None:
    events = created(category_ids=("x", "y", "x"), publish=True)
    assert events[1:] == [
        PostCategorized(post_id="p", category_id="x"),
        PostCategorized(post_id="p", category_id="y"),
        PostPublished(post_id="p", revision=1, published_at=NOW, correction=None),
    ]


def test_a_post_may_be_published_with_a_past_date_but_not_with_a_future_one() -> None:
    assert created(publish=True, published_at=-DAY)[-1] == PostPublished(
        post_id="p", revision=1, published_at=-DAY, correction=None
    )
    assert len(created(publish=True, published_at=NOW)) == 2
    with refused(PUBLISHED_AT_IN_FUTURE, "publishedAt"):
        created(publish=True, published_at=NOW + 1)


def test_a_date_without_publishing_is_refused() -> None:
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
def test_what_cannot_be_a_title_a_teaser_or_a_body_is_refused(
    field: str, value: str, code: ErrorCode
) -> None:
    with refused(code, field):
        created(**{field: value})
    with refused(code, field):
        when(given(CREATED), edit_post(**{field: value}))


@pytest.mark.parametrize("character", ['"', "\\", "\f", "\n", "é", "🌊"])
def test_the_greatest_post_fits_into_a_payload(character: str) -> None:
    body = character * (text_rules.MAX_BODY_BYTES // len(character.encode()))
    title, teaser = '"' * text_rules.MAX_TITLE, "\\" * text_rules.MAX_TEASER
    (new,) = created(
        title=title, teaser=teaser, body=body, slug="🌊" * 100, author_ids=tuple(map(str, range(1_000)))
    )
    (edit,) = when(given(CREATED), edit_post(title=title, teaser=teaser, body=body))
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
    assert when(given(CREATED), edit) == [PostEdited(post_id="p", title="Tide mill")]


def test_an_edit_that_changes_nothing_is_nothing_to_do() -> None:
    edit = edit_post(slug="mill", title=" Mill ", teaser="Turns.", body="Two wheels.", author_ids=("a", "a"))
    assert when(given(CREATED), edit) == []
    assert when(given(CREATED), edit_post()) == []


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_null_and_blank_clear_the_teaser(nothing: str | None) -> None:
    assert when(given(CREATED), edit_post(teaser=nothing)) == [PostEdited(post_id="p", teaser=None)]
    assert when(given(CREATED, PostEdited(post_id="p", teaser=None)), edit_post(teaser=nothing)) == []


def test_authors_are_replaced_in_their_order() -> None:
    (edit,) = when(given(CREATED), edit_post(author_ids=("b", "a", "b")))
    assert edit == PostEdited(post_id="p", author_ids=("b", "a"))
    assert given(CREATED, edit).content.author_ids == ("b", "a")


def test_an_edit_leaves_the_article_as_it_was_published() -> None:
    post = given(CREATED, PUBLISHED, EDITED)
    assert (
        post.lifecycle.revision,
        post.lifecycle.live_revision,
        post.lifecycle.has_unpublished_changes,
    ) == (2, 1, True)


def test_edit_and_publish_are_one_step() -> None:
    edit = edit_post(title="Tide mill", publish=True)
    assert when(given(CREATED, PUBLISHED), edit) == [
        PostEdited(post_id="p", title="Tide mill"),
        PostPublished(post_id="p", revision=2, published_at=NOW - DAY, correction=None),
    ]
    assert when(given(CREATED, PUBLISHED, EDITED, PUBLISHED_AGAIN), edit) == []


PUBLISHED_AGAIN: Final = PostPublished(post_id="p", revision=2, published_at=NOW - DAY, correction=None)


# --- categories ----------------------------------------------------------------------------------


def test_a_post_is_in_a_category_once_under_whichever_of_its_ids() -> None:
    into = categorize(category_id="x", equivalents=frozenset({"x", "old"}))
    assert when(given(CREATED), into) == [PostCategorized(post_id="p", category_id="x")]
    for category_id in ("x", "old"):
        assert when(given(CREATED, PostCategorized(post_id="p", category_id=category_id)), into) == []


def test_a_post_leaves_a_category_under_every_id_that_it_is_in_it() -> None:
    post = given(CREATED, *(PostCategorized(post_id="p", category_id=one) for one in ("old", "x", "other")))
    out = uncategorize(equivalents=frozenset({"x", "old"}))
    events = when(post, out)
    assert events == [
        PostUncategorized(post_id="p", category_id="old"),
        PostUncategorized(post_id="p", category_id="x"),
    ]
    assert after_all(post, events) == given(CREATED, PostCategorized(post_id="p", category_id="other"))
    assert when(given(CREATED), out) == []


# --- publishing ----------------------------------------------------------------------------------


def test_the_first_publication_bears_the_date_of_now_and_later_ones_keep_it() -> None:
    assert when(given(CREATED), publish()) == [
        PostPublished(post_id="p", revision=1, published_at=NOW, correction=None)
    ]
    for events in (
        (PUBLISHED, EDITED),
        (PUBLISHED, UNPUBLISHED, EDITED),
        (PUBLISHED, ARCHIVED, UNARCHIVED, EDITED),
    ):
        assert when(given(CREATED, *events), publish()) == [PUBLISHED_AGAIN]


def test_a_date_that_is_given_replaces_the_one_that_was() -> None:
    assert when(given(CREATED, PUBLISHED), publish(NOW - 2 * DAY)) == [
        PostPublished(post_id="p", revision=1, published_at=NOW - 2 * DAY, correction=None)
    ]
    with refused(PUBLISHED_AT_IN_FUTURE, "publishedAt"):
        when(given(CREATED, PUBLISHED), publish(NOW + 1))


def test_publishing_what_is_published_is_nothing_to_do() -> None:
    post = given(CREATED, PUBLISHED)
    assert when(post, publish()) == []
    assert when(post, publish(NOW - DAY)) == []
    assert when(post, publish(correction="  ")) == []


def test_what_was_unpublished_is_published_again_as_it_is() -> None:
    assert when(given(CREATED, PUBLISHED, UNPUBLISHED), publish()) == [PUBLISHED]


def test_a_correction_alone_is_reason_enough_to_publish() -> None:
    assert when(given(CREATED, PUBLISHED), publish(correction=" Three wheels. ")) == [
        PostPublished(post_id="p", revision=1, published_at=NOW - DAY, correction="Three wheels.")
    ]
    with refused(ErrorCode.TOO_LONG, "correction"):
        when(given(CREATED, PUBLISHED), publish(correction="x" * (text_rules.MAX_NOTE + 1)))


def test_slugs_that_were_published_are_remembered() -> None:
    post = given(
        CREATED,
        PUBLISHED,
        PostEdited(post_id="p", slug="a"),
        PostEdited(post_id="p", slug="b"),
        PUBLISHED_AGAIN,
    )
    assert post.published_slugs == {"mill", "b"}


def test_only_what_was_published_once_can_be_unpublished() -> None:
    assert when(given(CREATED, PUBLISHED), unpublish()) == [UNPUBLISHED]
    assert when(given(CREATED, PUBLISHED, UNPUBLISHED), unpublish()) == []
    with refused(POST_NOT_PUBLISHED, "id"):
        when(given(CREATED), unpublish())


# --- the archive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (PUBLISHED,), (PUBLISHED, UNPUBLISHED)])
def test_any_post_can_be_archived_once(before: tuple[Event, ...]) -> None:
    assert when(given(CREATED, *before), archive()) == [ARCHIVED]
    assert when(given(CREATED, *before, ARCHIVED), archive()) == []
    assert when(given(CREATED, *before), unarchive()) == []
    assert when(given(CREATED, *before, ARCHIVED), unarchive()) == [UNARCHIVED]


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
def test_an_archived_post_refuses_everything_else(command: Asked) -> None:
    with refused(POST_ARCHIVED, "id"):
        when(given(CREATED, PUBLISHED, ARCHIVED), command)


def test_out_of_the_archive_comes_a_draft_or_an_unpublished_post() -> None:
    assert given(CREATED, ARCHIVED, UNARCHIVED).lifecycle.status is PostStatus.DRAFT
    assert given(CREATED, PUBLISHED, ARCHIVED, UNARCHIVED).lifecycle.status is PostStatus.UNPUBLISHED


# --- withdrawn payloads --------------------------------------------------------------------------


def test_of_a_withdrawn_creation_the_post_remains() -> None:
    post = given(withdrawn("post.created"))
    assert (post.id, post.lifecycle.status, post.lifecycle.revision) == ("p", PostStatus.DRAFT, 1)
    assert (post.content.slug, post.content.title, post.content.teaser, post.content.body) == (
        "p",
        "",
        None,
        "",
    )


def test_of_a_withdrawn_edit_the_revision_remains() -> None:
    post = given(CREATED, PUBLISHED, withdrawn("post.edited"))
    assert (post.lifecycle.revision, post.content, post.lifecycle.has_unpublished_changes) == (
        2,
        given(CREATED).content,
        True,
    )


def test_of_a_withdrawn_publication_the_article_remains_with_the_date_of_recording() -> None:
    first = given(CREATED, withdrawn("post.published"))
    assert (first.lifecycle.status, first.lifecycle.published_at, first.lifecycle.live_revision) == (
        PostStatus.PUBLISHED,
        NOW,
        1,
    )
    again = given(CREATED, PUBLISHED, EDITED, withdrawn("post.published"))
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
def test_of_other_withdrawn_events_the_change_of_status_remains(event: str, status: PostStatus) -> None:
    assert given(CREATED, PUBLISHED, withdrawn(event)).lifecycle.status is status


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
commands: Final[st.SearchStrategy[Asked]] = st.one_of(
    st.builds(edit_post, title=_maybe, teaser=st.none() | _maybe, body=_maybe, slug=_maybe, publish=st.booleans()),
    st.builds(categorize, category_id=st.just("x"), equivalents=st.frozensets(_words).map(lambda old: old | {"x"})),
    st.builds(uncategorize, equivalents=st.frozensets(_words)),
    st.builds(publish, published_at=st.none() | st.integers(-9, NOW + 9), correction=st.none() | _words),
    st.builds(unpublish),
    st.builds(archive),
    st.builds(unarchive),
)  # fmt: skip


@for_all(st.lists(events))
def test_no_history_is_refused(history: list[Event]) -> None:
    reduce(posts.evolve, history, None)


@for_all(st.lists(events), commands)
def test_deciding_is_pure_and_done_once_there_is_nothing_left_to_do(
    history: list[Event], command: Asked
) -> None:
    post = given(CREATED, *history)
    try:
        first = when(post, command)
    except Rejection as refusal:
        with refused(refusal.code, *refusal.field):
            when(post, command)
        return
    assert when(post, command) == first
    after = after_all(post, first)
    if not (isinstance(command.command, PublishPost) and command.command.correction):
        assert when(after, command) == []
