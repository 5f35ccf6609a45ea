"""The GraphQL types of published revisions, their differences, and their proofs."""

from typing import Annotated, Final

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.authors.queries import authors
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.history.schema import BodyDiff, FieldDiff
from ledgerpress.features.integrity.merkle_tree_projection import TreeIncomplete
from ledgerpress.features.posts.pages import article_href
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.schema import Article, Body, Correction
from ledgerpress.features.posts.schema.corrections import corrections_of
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.inclusion_proof import proof_of
from ledgerpress.features.public_history.revision_queries import Revision, RevisionKind
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.relay.connection import Connection, connect, read_page_by_position
from ledgerpress.graphql.scalars import DateTime, Position, described_enum
from ledgerpress.views.paging import PageRequest

RevisionKindEnum = described_enum(
    RevisionKind,
    name="ArticleRevisionKind",
    description="What a published revision is to readers.",
    values={
        RevisionKind.FIRST: "The article was published for the first time.",
        RevisionKind.CORRECTED: "The article was published again with a public note, or a note was added later.",
        RevisionKind.EDITED: "The article was published again with changes, and has no public note on them.",
        RevisionKind.UNCHANGED: "The article was published again without a change of its content.",
    },
)


@strawberry.type(
    description="The differences between two published revisions; a field that does not differ is null."
)
class ArticleRevisionDiff:
    old: strawberry.Private[Revision]
    new: strawberry.Private[Revision]
    moment: strawberry.Private[PointInTime]

    @strawberry.field(name="from", description="The number of the older revision.")
    def from_number(self) -> int:
        return self.old.number

    @strawberry.field(name="to", description="The number of the newer revision.")
    def to_number(self) -> int:
        return self.new.number

    @strawberry.field
    def title(self) -> FieldDiff | None:
        return self._field("title")

    @strawberry.field
    def teaser(self) -> FieldDiff | None:
        return self._field("teaser")

    @strawberry.field
    def slug(self) -> FieldDiff | None:
        return self._field("slug")

    @strawberry.field
    def body(self) -> BodyDiff | None:
        before, after = (
            markdown(self.moment.snapshot, each.publication.content.body) for each in (self.old, self.new)
        )
        return None if before == after else BodyDiff(before=before, after=after)

    def _field(self, name: str) -> FieldDiff | None:
        before, after = (getattr(each.publication.content, name) for each in (self.old, self.new))
        return None if before == after else FieldDiff(before=before, after=after)


@strawberry.type(
    description="A proof that an event is in the log (RFC 9162, section 2.1.3), without the event itself. Hashes are"
    " SHA-256, in hexadecimal digits."
)
class InclusionProof:
    publication: str = strawberry.field(description="The id of the publication, as in its tree heads.")
    position: Position = strawberry.field(
        description="The position of the event; its leaf has this index minus 1."
    )
    leaf_hash: str
    size: Position = strawberry.field(description="The number of events in the tree.")
    root: str = strawberry.field(
        description="The root of the tree. Compare it with a tree head that you have stored."
    )
    path: list[str] = strawberry.field(description="The hashes of the siblings, from the leaf to the root.")


@strawberry.type(
    description="What readers read from one publication of an article to the next, or until it was no longer public. It has no drafts, reasons or actors."
)
class ArticleRevision:
    revision: strawberry.Private[Revision]
    article: strawberry.Private[Article]
    number: int = strawberry.field(
        description="1 for the first publication of the article, 2 for the second …"
    )
    position: Position = strawberry.field(description="The position from which on readers saw it.")
    published_at: DateTime = strawberry.field(description="When it was published here.")
    kind: RevisionKindEnum  # type: ignore[valid-type]
    is_incomplete: bool = strawberry.field(
        description="Whether a part of its text was erased from the log. What was public before takes its place."
    )
    slug: str
    title: str
    teaser: str | None = strawberry.field(description="The teaser that was written; null if none was.")

    @strawberry.field
    def body(self) -> Body:
        return Body(snapshot=self.article.moment.snapshot, position=self.revision.publication.content.body)

    @strawberry.field(description="The authors, with their present names.")
    def authors(self) -> list[Author]:
        moment = self.article.moment
        records = authors(moment.snapshot, self.revision.publication.content.author_ids)
        return [author_of(record, moment.for_related) for record in records]

    @strawberry.field(description="The public notes on this revision, oldest first.")
    def corrections(self) -> list[Correction]:
        return corrections_of(self.revision.corrections, self.article.moment, self.article.record.seq)

    @strawberry.field(
        description="The differences from another published revision, by default the one before; null for the first one."
    )
    def diff(
        self, from_: Annotated[int | None, strawberry.argument(name="from")] = None
    ) -> ArticleRevisionDiff | None:
        moment, article_id = self.article.moment, self.article.record.id
        number = self.number - 1 if from_ is None else from_
        if from_ is None and not number:
            return None
        old = revision_queries.by_number(moment.snapshot, article_id, number) if number > 0 else None
        if old is None:
            last = revision_queries.count(moment.snapshot, article_id)
            raise BadRequest(f"No published revision {number}; they run from 1 to {last}.")
        return ArticleRevisionDiff(old=old, new=self.revision, moment=moment)

    @strawberry.field(
        description="The proof that the publication is in the log of the first `size` events, by default of all."
    )
    def proof(self, info: RequestInfo, size: Position | None = None) -> InclusionProof:
        href = article_href(self.article.slug)
        snapshot, position = self.article.moment.snapshot, self.revision.position
        snapshot.depends_on_position()
        number = None if size is None else int(size)
        try:
            proof = proof_of(snapshot, info.context.publication, href, self.number, position, number)
        except ValueError:
            raise BadRequest(f"size must be between {position} and {snapshot.position}.") from None
        except TreeIncomplete as error:
            raise BadRequest(str(error)) from None
        return InclusionProof(
            publication=proof.publication,
            position=Position(proof.position),
            leaf_hash=proof.leaf_hash,
            size=Position(proof.size),
            root=proof.root,
            path=proof.path,
        )


def article_revision_of(revision: Revision, article: Article) -> ArticleRevision:
    """Return a published revision as a GraphQL object. Its history MUST be readable (`may_read_history`)."""
    publication = revision.publication
    return ArticleRevision(
        revision=revision,
        article=article,
        number=revision.number,
        position=Position(revision.position),
        published_at=DateTime(publication.recorded_at),
        kind=revision.kind,
        is_incomplete=publication.is_incomplete,
        slug=publication.content.slug,
        title=publication.content.title,
        teaser=publication.content.teaser,
    )


def may_read_history(context: Context) -> bool:
    """Return whether the viewer may read the published revisions of articles."""
    return context.public_history or context.identity.may(READ_HISTORY)


def require_history(context: Context) -> None:
    """Raise `AccessDenied` unless the viewer may read the published revisions of articles."""
    if not may_read_history(context):
        raise AccessDenied(context.identity, READ_HISTORY)


@strawberry.type
class ArticleFields:
    @strawberry.field(
        description="The published revisions, newest first. Everyone may read them if the site makes histories public"
        " (`server.public_history`); otherwise this needs the permission “history:read”."
    )
    @staticmethod
    def revisions(
        article: strawberry.Parent[Article],
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[ArticleRevision] | None:
        require_history(info.context)
        snapshot, article_id = article.moment.snapshot, article.record.id
        count = revision_queries.count(snapshot, article_id)
        by_number: dict[int, Revision] = {}

        def read(low: int, high: int, limit: int, newest_first: bool) -> list[int]:
            revisions = revision_queries.revisions(
                snapshot, article_id, low, high, limit, newest_first=newest_first
            )
            by_number.update((revision.number, revision) for revision in revisions)
            return [revision.number for revision in revisions]

        page = read_page_by_position(read, PageRequest(first, after, last, before), high=count)
        nodes = [article_revision_of(by_number[key.post], article) for key in page.entries]
        return connect(page, nodes, lambda: count)

    @strawberry.field(description="The published revision with a number, which needs what `revisions` needs.")
    @staticmethod
    def revision(
        article: strawberry.Parent[Article], info: RequestInfo, number: int
    ) -> ArticleRevision | None:
        require_history(info.context)
        revision = revision_queries.by_number(article.moment.snapshot, article.record.id, number)
        return article_revision_of(revision, article) if revision else None


SCHEMA: Final = SchemaContribution(
    extends={Article: ArticleFields},
    permissions={"Article.revisions": None, "Article.revision": None},
    objects=dict.fromkeys(("ArticleRevision", "ArticleRevisionDiff", "InclusionProof")),
    weights={
        "Article.revision": 5.0,
        "Article.revisions": 5.0,
        "ArticleRevision.corrections": 1.0,
        "ArticleRevision.diff": 25.0,
        "ArticleRevision.proof": 5.0,
    },
    sizes={"ArticleRevision.authors": 5, "ArticleRevision.corrections": 5, "InclusionProof.path": 20},
)
