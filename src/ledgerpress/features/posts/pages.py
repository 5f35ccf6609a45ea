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
    moment,
    note_of,
)

__all__ = [
    "CORRECTION_HEADINGS",
    "ArticleContent",
    "ArticleList",
    "Card",
    "Moment",
    "Note",
    "article_content",
    "article_href",
    "article_list",
    "moment",
    "note_of",
]
