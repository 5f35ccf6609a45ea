"""A random newsroom of words with several users, site pages and a menu, whose authors are also erased."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.features.authors.model import AUTHORS
from ledgerpress.graphql.relay import global_ids
from tests.identities import identity
from tests.integration.graphql_client import Client
from tests.property.newsroom_of_words import Action, AuthorOfWords, NewsroomOfWords, PostOfWords, words_in

OF_AUTHORS: Final = {"postCreate", "postEdit", "postPublish", "postUnpublish"}
"""The mutations that users with the role AUTHOR also run: those on their own posts."""


@dataclass
class SitePage:
    """A page of the site: its words that were published, and the labels of links to it."""

    id: str
    published: set[str] = field(default_factory=set)
    slugs: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    is_public: bool = False


class NewsroomWithRoles(NewsroomOfWords):
    """Writes at random as users with several roles, whose names are secret."""

    withdrawn_types: ClassVar = {
        *NewsroomOfWords.withdrawn_types,
        *("correction.recorded", "page.created", "page.edited", "author.registered", "author.renamed"),
    }

    def __init__(self, site: Client, data: Path, chance: Random) -> None:
        super().__init__(site, data, chance)
        self.users: dict[Role, Identity] = {}
        self.pages: list[SitePage] = []
        self._own: set[str] = set()
        """The ids of the posts of the user with the role AUTHOR."""
        self._bylines: defaultdict[str, list[AuthorOfWords]] = defaultdict(list)
        """The authors of all published revisions, by the id of the post."""
        self._wordings: defaultdict[str, set[str]] = defaultdict(set)
        """The former wordings of corrections, by their ids."""

    @property
    def public(self) -> set[str]:
        public = super().public
        for post in self.posts:
            if post.is_public:
                # Former revisions have the names that their authors have had since.
                public |= {name for author in self._bylines[post.id] for name in author.names | author.slugs}
                public |= {word for id_ in post.corrections for word in self._wordings[id_]}
        for page in self.pages:
            if page.is_public:
                public |= page.published | page.labels
        return public

    async def begin(self) -> None:
        """Register a user of each role, and publish a page."""
        for role in (Role.AUTHOR, Role.EDITOR, Role.ADMIN):
            result = await self._site.store.commands.handle(RegisterActor(name=self._secret()))
            self.users[role] = identity(role, result.subject_id)
        await self._write_page()
        await self._publish_page()

    def _actions(self) -> dict[Action, int]:
        return super()._actions() | {
            self._correct: 5, self._retract: 3, self._reword: 1, self._write_page: 2, self._edit_page: 3, self._publish_page: 3, self._unpublish_page: 1,
            self._arrange_menu: 1, self._erase_author: 1, self._erase_post: 1,
        }  # fmt: skip

    def _writer(self, mutation: str, input: Mapping[str, Any]) -> Identity:
        writers = [LOCAL_OPERATOR, self.users[Role.EDITOR], self.users[Role.ADMIN]]
        if mutation in OF_AUTHORS and input.get("id", "") in {"", *self._own}:
            writers += [self.users[Role.AUTHOR]] * 2
        return self._chance.choice(writers)

    async def _do(self, mutation: str, fields: str = "", **input: Any) -> dict[str, Any]:
        payload = await super()._do(mutation, fields, **input)
        if mutation == "postCreate" and self._last_writer is self.users[Role.AUTHOR]:
            self._own.add(payload["post"]["id"])
        return payload

    def _update(self, post: PostOfWords, state: dict[str, Any], *, publishes: bool = True) -> None:
        super()._update(post, state, publishes=publishes)
        if post.is_public:
            self._bylines[post.id] += [*post.authors, *post.published_authors]

    async def _withdraw_event(self, event: StoredEvent) -> None:
        await super()._withdraw_event(event)
        for post in self.posts:
            for id_, note in list(post.corrections.items()):
                if {note, *self._wordings[id_]} & self.secrets:
                    del post.corrections[id_]

    async def _reword(self) -> None:
        post = self._choose(is_public=True)
        if post is not None and post.corrections:
            correction, note = self._chance.choice(list(post.corrections)), self._word()
            await self._do("correctionReword", id=post.id, correction=correction, note=note)
            self._wordings[correction].add(post.corrections[correction])
            post.corrections[correction] = note

    async def _write_page(self) -> None:
        words = {"title": self._word(), "body": self._word(), "slug": self._word()}
        payload = await self._do("pageCreate", "pageDraft { id }", **words)
        self.pages.append(SitePage(payload["pageDraft"]["id"]))

    async def _edit_page(self) -> None:
        if self.pages:
            names = self._chance.sample(["title", "body", "slug"], self._chance.randint(1, 3))
            changes = {name: self._word() for name in names}
            await self._do("pageEdit", id=self._chance.choice(self.pages).id, **changes)

    async def _publish_page(self) -> None:
        if self.pages:
            page = self._chance.choice(self.pages)
            await self._do("pagePublish", id=page.id)
            with self._site.acting_as(LOCAL_OPERATOR):
                query = "query ($id: ID!) { pageDraft(id: $id) { slug title body { markdown } } }"
                draft = (await self._site.ask(query, id=page.id))["pageDraft"]
            page.is_public = True
            page.published |= words_in(str(draft))
            page.slugs.add(draft["slug"])

    async def _unpublish_page(self) -> None:
        public = [page for page in self.pages if page.is_public]
        if public:
            page = self._chance.choice(public)
            await self._do("pageUnpublish", id=page.id)
            page.is_public = False

    async def _arrange_menu(self) -> None:
        items: list[dict[str, Any]] = []
        for page in self._chance.sample(self.pages, min(3, len(self.pages))):
            label = self._word()
            page.labels.add(label)
            place = self._chance.choice(("HEADER", "FOOTER"))
            items.append({"label": label, "place": place, "target": {"page": page.id}})
        await self._do("menuArrange", items=items)

    async def _erase_author(self) -> None:
        """Withdraw everything that was recorded about an author, as `ledgerpress erase person` does."""
        author = self._chance.choice(self.authors)
        stream = AUTHORS.stream(global_ids.argument(author.id, "Author"))
        await self._erase(stream, author.names | author.slugs | {author.name, author.slug})
        author.name, author.slug = "", stream.rpartition(".")[2]

    async def _erase_post(self) -> None:
        """Withdraw everything that was recorded about a post, as `ledgerpress erase post` does."""
        post = self._chance.choice(self.posts)
        stream = f"post.{global_ids.argument(post.id, 'Post')}"
        await self._erase(stream, {*post.slugs, post.slug})
        await self._after_withdrawal()

    async def _erase(self, stream: str, words: set[str]) -> None:
        """Withdraw the payloads of a stream, and those of the slugs among these words."""
        log = self._site.store.log
        for event in await log.read(0, await log.head()):
            is_slug = event.header.type.startswith("slug.") and words & words_in(repr(event.payload))
            if event.payload is not None and (event.header.stream == stream or is_slug):
                await self._withdraw_event(event)
