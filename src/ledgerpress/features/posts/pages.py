"""Public names for features above posts that show articles on their pages."""

from ledgerpress.features.posts.html_pages import (
    CORRECTION_HEADINGS,
    ArticleContent,
    ArticleList,
    Card,
    Moment,
    Note,
    article_content,
    article_href,
    article_list,
    article_missing,
    moment,
    note_of,
)
from ledgerpress.features.posts.page_changes import PAGE_SIZE

__all__ = [
    "CORRECTION_HEADINGS",
    "PAGE_SIZE",
    "ArticleContent",
    "ArticleList",
    "Card",
    "Moment",
    "Note",
    "article_content",
    "article_href",
    "article_list",
    "article_missing",
    "moment",
    "note_of",
]
