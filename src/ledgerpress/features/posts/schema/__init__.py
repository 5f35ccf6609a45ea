"""The GraphQL schema of posts, and its public names for features above posts."""

from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, READ_POSTS
from ledgerpress.features.authors.schema import Author
from ledgerpress.features.categories.schema.category_type_and_queries import Category
from ledgerpress.features.posts.schema.added_fields import AuthorFields, CategoryFields
from ledgerpress.features.posts.schema.correction_mutations import (
    CorrectionAddInput,
    CorrectionInput,
    CorrectionMutations,
    CorrectionPayload,
    CorrectionRetractInput,
    CorrectionRewordInput,
)
from ledgerpress.features.posts.schema.corrections import Correction, CorrectionKindEnum, load_correction
from ledgerpress.features.posts.schema.mutations import (
    PostArchiveInput,
    PostCategorizeInput,
    PostCreateInput,
    PostEditInput,
    PostMutations,
    PostPayload,
    PostPublishInput,
    PostRestoreInput,
    PostRestorePayload,
    PostRevertInput,
    PostUnarchiveInput,
    PostUncategorizeInput,
    PostUnpublishInput,
    post_mutation,
)
from ledgerpress.features.posts.schema.queries import PostQueries
from ledgerpress.features.posts.schema.subscriptions import ArticleChanged, ArticleSubscriptions
from ledgerpress.features.posts.schema.types import (
    Article,
    Body,
    Post,
    PostStatusEnum,
    Section,
    article_of,
    listed_articles,
    listed_posts,
    load_article,
    load_post,
    post_of,
)
from ledgerpress.features.posts.schema.visibility import moment_of_posts, sees_post
from ledgerpress.graphql.feature_declarations import SchemaContribution

__all__ = [
    "SCHEMA",
    "Article",
    "ArticleChanged",
    "Body",
    "Correction",
    "CorrectionAddInput",
    "CorrectionInput",
    "CorrectionKindEnum",
    "CorrectionPayload",
    "CorrectionRetractInput",
    "CorrectionRewordInput",
    "Post",
    "PostArchiveInput",
    "PostCategorizeInput",
    "PostCreateInput",
    "PostEditInput",
    "PostPayload",
    "PostPublishInput",
    "PostRestoreInput",
    "PostRestorePayload",
    "PostRevertInput",
    "PostStatusEnum",
    "PostUnarchiveInput",
    "PostUncategorizeInput",
    "PostUnpublishInput",
    "Section",
    "article_of",
    "listed_articles",
    "listed_posts",
    "load_article",
    "load_correction",
    "load_post",
    "moment_of_posts",
    "post_mutation",
    "post_of",
    "sees_post",
]

_READ: Final = RequiredPermission(READ_POSTS, own=READ_OWN_POSTS)


@strawberry.type
class _Mutations(PostMutations, CorrectionMutations):
    """The mutations of posts and of their corrections."""


SCHEMA: Final = SchemaContribution(
    query=PostQueries,
    mutation=_Mutations,
    subscription=ArticleSubscriptions,
    types=(Article, Correction, Post),
    extends={Author: AuthorFields, Category: CategoryFields},
    permissions={
        "Query.article": None,
        "Query.articles": None,
        "Query.recentPosts": None,
        "Query.post": _READ,
        "Query.posts": _READ,
        "Subscription.articleChanged": None,
        "Subscription.recentPosts": None,
        "Author.articles": None,
        "Category.articleCount": None,
        "Category.articles": None,
    },
    objects={
        "Post": _READ,
        **dict.fromkeys(("Article", "ArticleChanged", "Body", "Correction", "Section")),
    },
    nodes={"Article": load_article, "Correction": load_correction, "Post": load_post},
    moments={"Post": moment_of_posts},
    weights={
        # Each of these fields renders the Markdown, unless the result is cached.
        **{f"Body.{name}": 5.0 for name in ("html", "text", "sections", "wordCount", "readingMinutes")},
        "Article.teaser": 1.0,
        "Article.teaserIsCut": 1.0,
        "Article.previousSlugs": 1.0,
        "Category.articleCount": 1.0,
        "Correction.appliesToArticle": 1.0,
    },
    sizes={
        "Article.authors": 5,
        "Article.categories": 5,
        "Article.corrections": 5,
        "Post.authors": 5,
        "Post.categories": 5,
        "Post.corrections": 5,
        "Body.sections": 20,
    },
)
