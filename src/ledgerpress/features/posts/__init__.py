"""Posts and articles: the manifest, and the public names for features above that write posts.

Features above import queries from `posts.article_queries` and `posts.post_queries`, GraphQL types from `posts.schema`
and page contents from `posts.pages`: see docs/reference/public-modules.md.
"""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, READ_POSTS
from ledgerpress.features.posts import (
    cache_invalidation,
    listings_projection,
    model,
    permissions,
    post_history_values,
    projector,
)
from ledgerpress.features.posts.corrections import model as corrections_model
from ledgerpress.features.posts.corrections import projector as corrections_projector
from ledgerpress.features.posts.corrections import queries as corrections_queries
from ledgerpress.features.posts.corrections.model import (
    CORRECTION_RETRACTED,
    PASSAGE_NOT_FOUND,
    REVISION_NOT_PUBLISHED,
    CorrectionKind,
    CorrectionRecorded,
    CorrectionRetracted,
    CorrectionReworded,
)
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.model import (
    NOTHING_TO_REVERT,
    POST_ARCHIVED,
    POST_NOT_PUBLISHED,
    POSTS,
    PUBLISHED_AT_IN_FUTURE,
    REVERT_CONFLICT,
    Content,
    ContentChanged,
    Lifecycle,
    Post,
    PostArchived,
    PostCategorized,
    PostChange,
    PostCreated,
    PostEdited,
    PostPublished,
    PostRestored,
    PostReverted,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.features.posts.permissions import WRITE_OWN_POSTS, WRITE_POSTS

if TYPE_CHECKING:
    from ledgerpress.features.posts.correction_commands import (
        AddCorrection,
        EditWithCorrection,
        PublishWithCorrection,
        RetractCorrection,
        RewordCorrection,
    )
    from ledgerpress.features.posts.corrections.decisions import NewCorrection
    from ledgerpress.features.posts.create_edit_categorize_commands import (
        CategorizePost,
        CreatePost,
        EditPost,
        UncategorizePost,
        check_own_post,
    )
    from ledgerpress.features.posts.lifecycle_commands import (
        ArchivePost,
        PublishPost,
        UnarchivePost,
        UnpublishPost,
    )
    from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
else:
    __getattr__ = names_in(
        __name__,
        "create_edit_categorize_commands",
        "lifecycle_commands",
        "restore_version_and_revert_change_commands",
        "correction_commands",
    )

__all__ = [
    "CORRECTION_RETRACTED",
    "EVERY_ARTICLE",
    "FEATURE",
    "NOTHING_TO_REVERT",
    "PASSAGE_NOT_FOUND",
    "POSTS",
    "POST_ARCHIVED",
    "POST_NOT_PUBLISHED",
    "PUBLISHED_AT_IN_FUTURE",
    "READ_OWN_POSTS",
    "READ_POSTS",
    "REVERT_CONFLICT",
    "REVISION_NOT_PUBLISHED",
    "WRITE_OWN_POSTS",
    "WRITE_POSTS",
    "AddCorrection",
    "ArchivePost",
    "CategorizePost",
    "Content",
    "ContentChanged",
    "CorrectionKind",
    "CorrectionRecorded",
    "CorrectionRetracted",
    "CorrectionReworded",
    "CreatePost",
    "EditPost",
    "EditWithCorrection",
    "Lifecycle",
    "NewCorrection",
    "Post",
    "PostArchived",
    "PostCategorized",
    "PostChange",
    "PostCreated",
    "PostEdited",
    "PostPublished",
    "PostRestored",
    "PostReverted",
    "PostStatus",
    "PostUnarchived",
    "PostUncategorized",
    "PostUnpublished",
    "PublishPost",
    "PublishWithCorrection",
    "RestorePost",
    "RetractCorrection",
    "RevertPost",
    "RewordCorrection",
    "UnarchivePost",
    "UncategorizePost",
    "UnpublishPost",
    "check_own_post",
]

FEATURE: Final = Feature(
    name="posts",
    requires=("slugs", "actors", "site", "authors", "categories"),
    events=(*model.EVENTS, *corrections_model.EVENTS),
    streams=(model.POSTS,),
    permissions=permissions.PERMISSIONS,
    commands=(
        "ledgerpress.features.posts.create_edit_categorize_commands:COMMANDS",
        "ledgerpress.features.posts.lifecycle_commands:COMMANDS",
        "ledgerpress.features.posts.restore_version_and_revert_change_commands:COMMANDS",
        "ledgerpress.features.posts.correction_commands:COMMANDS",
    ),
    error_codes=(*model.ERROR_CODES, *corrections_model.ERROR_CODES),
    projectors=(projector.PostsProjector(), corrections_projector.PROJECTOR),
    listings=(listings_projection.LISTINGS,),
    dependencies=(cache_invalidation.DEPENDENCIES, corrections_queries.DEPENDENCIES),
    hidden=(listings_projection.HIDDEN, corrections_queries.HIDDEN),
    subjects=(post_history_values.SUBJECT,),
    schema="ledgerpress.features.posts.schema:SCHEMA",
    pages="ledgerpress.features.posts.html_pages:PAGES",
)
