"""A random newsroom in which each text has a word of its own, and which words readers may see now."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeAlias

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.graphql_client import Client

MINUTE = 60_000_000
Action: TypeAlias = Callable[[], Awaitable[None]]


@dataclass
class AuthorOfWords:
    """An author: the words of the name and the slug now, and all slugs and names."""

    id: str
    name: str
    slug: str
    slugs: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@dataclass
class PostOfWords:
    """A post: the words of its content now, and of all contents that were published; `slugs` were public.

    The published words include the names and slugs that its published authors had while it was public.
    """

    id: str
    slug: str
    words: dict[str, str]
    authors: list[AuthorOfWords]
    published_authors: list[AuthorOfWords] = field(default_factory=list)
    published: set[str] = field(default_factory=set)
    slugs: set[str] = field(default_factory=set)
    is_public: bool = False
    is_archived: bool = False
    was_public: bool = False
    corrections: dict[str, str] = field(default_factory=dict)

    def publish(self) -> None:
        self.is_public = self.was_public = True
        self.published |= {*self.words.values(), self.slug}
        self.slugs.add(self.slug)
        self.published_authors = self.authors
        self.name_authors()

    def name_authors(self) -> None:
        for author in self.published_authors:
            self.published |= {author.name, author.slug}


class NewsroomOfWords:
    """Writes at random through GraphQL, as a newsroom would, and withdraws payloads."""

    withdrawn_types: ClassVar = {"post.created", "post.edited"}
    """The types of the events whose payloads are withdrawn."""

    def __init__(self, site: Client, data: Path, chance: Random) -> None:
        self._site = site
        self._data = data
        self._chance = chance
        self._number = 0
        self._last_writer: Identity = LOCAL_OPERATOR
        self.posts: list[PostOfWords] = []
        self.authors: list[AuthorOfWords] = []
        self.categories: list[str] = []
        self.secrets: set[str] = set()
        """Words of reasons, withdrawn texts and retracted corrections: no reader ever sees them."""
        self.all_words: set[str] = set()

    @property
    def public(self) -> set[str]:
        """The words of what is public now, in any of its published states."""
        public = set[str]()
        for post in self.posts:
            if post.is_public:
                public |= post.published | set(post.corrections.values())
        return public

    @property
    def hidden(self) -> set[str]:
        """The words that no reader may see now."""
        return self.all_words - (self.public - self.secrets)

    async def step(self) -> None:
        """Do one thing."""
        time: Any = self._site.store.clock
        time.time += self._chance.choice((0, 1, 90)) * MINUTE
        if len(self.categories) < 4:
            await self._create_category()
        elif len(self.authors) < 3:
            await self._register()
        elif len(self.posts) < 3:
            await self._create()
        else:
            actions = self._actions()
            (action,) = self._chance.choices(list(actions), list(actions.values()))
            await action()

    def _actions(self) -> dict[Action, int]:
        """Return what the newsroom does, and how often."""
        return {
            self._create: 10, self._edit: 5, self._publish: 5, self._unpublish: 3, self._archive: 1,
            self._unarchive: 1, self._categorize: 2, self._correct: 2, self._retract: 1, self._withdraw: 3,
            self._move_category: 1, self._rename: 2, self._register: 1,
        }  # fmt: skip

    def _writer(self, mutation: str, input: dict[str, Any]) -> Identity:
        """Return who runs a mutation."""
        return LOCAL_OPERATOR

    def _word(self) -> str:
        self._number += 1
        word = f"zq{self._number}qz"
        self.all_words.add(word)
        return word

    def _secret(self) -> str:
        word = self._word()
        self.secrets.add(word)
        return word

    async def _do(self, mutation: str, fields: str = "", **input: Any) -> dict[str, Any]:
        self._last_writer = self._writer(mutation, input)
        with self._site.acting_as(self._last_writer):
            payload = await self._site.do(mutation, fields, reason=self._secret(), **input)
        assert payload["userErrors"] == [], payload
        return payload

    def _choose(self, **states: bool) -> PostOfWords | None:
        posts = [
            post for post in self.posts if all(getattr(post, name) is value for name, value in states.items())
        ]
        return self._chance.choice(posts) if posts else None

    async def _create_category(self) -> None:
        slug = f"category-{len(self.categories)}"
        parent = {"slug": self._chance.choice(self.categories)} if len(self.categories) > 1 else None
        await self._do("categoryCreate", name=slug, slug=slug, parent=parent)
        self.categories.append(slug)

    async def _register(self) -> None:
        name, slug = self._word(), self._word()
        payload = await self._do("authorRegister", "author { id }", name=name, slug=slug)
        self.authors.append(AuthorOfWords(payload["author"]["id"], name, slug, {slug}, {name}))

    async def _rename(self) -> None:
        author, name = self._chance.choice(self.authors), self._word()
        slugs: list[dict[str, Any]] = [{}, {"slug": None}, {"slug": self._word()}]
        slug = self._chance.choice(slugs)
        await self._do("authorRename", id=author.id, name=name, **slug)
        author.name = name
        author.names.add(name)
        if slug:
            author.slug = slug["slug"] or name
            author.slugs.add(author.slug)
        for post in self.posts:
            if post.is_public:
                post.name_authors()

    def _some_authors(self) -> list[AuthorOfWords]:
        return self._chance.sample(self.authors, self._chance.randint(0, 2))

    async def _create(self) -> None:
        authors = self._some_authors()
        words = {name: self._word() for name in ("title", "teaser", "body")}
        payload = await self._do(
            "postCreate",
            "post { id slug }",
            **words,
            categories=[
                {"slug": slug} for slug in self._chance.sample(self.categories, self._chance.randint(0, 2))
            ],
            authors=[author.id for author in authors],
            publish=self._chance.random() < 0.9,
        )
        post = PostOfWords(payload["post"]["id"], payload["post"]["slug"], words, authors)
        self.posts.append(post)
        self._update(post, await self._state(post))

    async def _state(self, post: PostOfWords) -> dict[str, Any]:
        with self._site.acting_as(LOCAL_OPERATOR):
            data = await self._site.ask(
                "query ($id: ID!) { post(id: $id) { slug status title teaser body { markdown } } }",
                id=post.id,
            )
        state: dict[str, Any] = data["post"]
        return state

    def _update(self, post: PostOfWords, state: dict[str, Any], *, publishes: bool = True) -> None:
        post.slug = state["slug"]
        post.is_archived = state["status"] == "ARCHIVED"
        post.is_public = state["status"] == "PUBLISHED"
        if post.is_public and publishes:
            post.publish()

    async def _edit(self) -> None:
        post = self._choose(is_archived=False)
        if post is None:
            return
        names = self._chance.sample(["title", "teaser", "body"], self._chance.randint(1, 3))
        changes = {name: self._word() for name in names}
        publish = self._chance.random() < 0.5
        slug = {"slug": changes["title"]} if "title" in changes and self._chance.random() < 0.4 else {}
        authors = self._some_authors() if self._chance.random() < 0.4 else post.authors
        ids = [author.id for author in authors]
        await self._do("postEdit", id=post.id, **changes, **slug, authors=ids, publish=publish)
        post.words |= changes
        post.authors = authors
        self._update(post, await self._state(post), publishes=publish)

    async def _publish(self) -> None:
        post = self._choose(is_archived=False)
        if post is not None:
            old = self._chance.random() < 0.3
            date = {"publishedAt": f"2024-05-0{self._chance.randint(1, 3)}T10:00:00Z"} if old else {}
            await self._do("postPublish", id=post.id, **date)
            self._update(post, await self._state(post))

    async def _unpublish(self) -> None:
        post = self._choose(is_public=True)
        if post is not None:
            await self._do("postUnpublish", id=post.id)
            post.is_public = False

    async def _archive(self) -> None:
        post = self._choose(is_archived=False)
        if post is not None:
            await self._do("postArchive", id=post.id)
            post.is_public, post.is_archived = False, True

    async def _unarchive(self) -> None:
        post = self._choose(is_archived=True)
        if post is not None:
            await self._do("postUnarchive", id=post.id)
            self._update(post, await self._state(post), publishes=False)

    async def _categorize(self) -> None:
        post = self._choose(is_archived=False)
        if post is not None:
            mutation = self._chance.choice(["postCategorize", "postUncategorize"])
            await self._do(mutation, id=post.id, category={"slug": self._chance.choice(self.categories)})

    async def _correct(self) -> None:
        post = self._choose(is_public=True)
        if post is not None:
            note = self._word()
            payload = await self._do(
                "correctionAdd", "correction { id }", id=post.id, kind="CORRECTION", note=note
            )
            post.corrections[payload["correction"]["id"]] = note

    async def _retract(self) -> None:
        post = self._choose(is_public=True)
        if post is not None and post.corrections:
            correction = self._chance.choice(list(post.corrections))
            await self._do("correctionRetract", id=post.id, correction=correction)
            self.secrets.add(post.corrections.pop(correction))

    async def _move_category(self) -> None:
        child, parent = self._chance.sample(self.categories, 2)
        with self._site.acting_as(LOCAL_OPERATOR):
            await self._site.do("categoryMove", category={"slug": child}, parent={"slug": parent})

    async def _withdraw(self) -> None:
        """Withdraw the payload of an event with a text."""
        store = self._site.store
        events = await store.log.read(0, await store.log.head())
        candidates = [
            event
            for event in events
            if event.payload is not None and event.header.type in self.withdrawn_types
        ]
        # Often a recent one: then the text of a draft may be from before it.
        event = self._chance.choice(candidates[-6:] if self._chance.random() < 0.7 else candidates)
        await self._withdraw_event(event)
        await self._after_withdrawal()

    async def _after_withdrawal(self) -> None:
        for post in self.posts:
            state = await self._state(post)
            post.slug = state["slug"]
            # Editors see what the post had before, and may publish it; readers do not see it until then.
            texts = {"title": state["title"], "teaser": state["teaser"], "body": state["body"]["markdown"]}
            post.words = {name: text for name, text in texts.items() if text}
            if post.is_public:
                post.slugs.add(post.slug)

    async def _withdraw_event(self, event: StoredEvent) -> None:
        await withdraw_from(self._site.store, self._data, event.header.position, self._secret())
        self.secrets |= words_in(repr(event.payload))


def words_in(text: str) -> set[str]:
    """Return the words of a newsroom that a text contains."""
    return set(re.findall(r"zq\d+qz", text))
