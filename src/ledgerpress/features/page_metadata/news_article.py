"""An article as `NewsArticle` of schema.org, in JSON-LD."""

from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ledgerpress.features.authors.pages import AuthorName
from ledgerpress.features.posts.pages import ArticleContent, Note
from ledgerpress.http.pages.interface_texts.words import Words


def json_ld(article: ArticleContent, *, url: str, site_name: str, site_url: str, words: Words) -> Markup:
    """Return the text of a `script` element with the data of an article. Nothing in it can end the element."""
    publisher = {"@type": "Organization", "name": site_name, "url": site_url}
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.teaser,
        "datePublished": article.published.iso,
        "dateModified": article.changed.iso,
        "author": [_person(author, site_url) for author in article.authors] or publisher,
        "publisher": publisher,
        "mainEntityOfPage": {"@type": "WebPage", "@id": url},
        "url": url,
        "articleSection": [category.name for category in article.categories],
        "inLanguage": words.language,
        "correction": [_comment(note, words) for note in article.corrections],
    }
    filled = {name: value for name, value in data.items() if value}
    return htmlsafe_json_dumps(filled, ensure_ascii=False, separators=(",", ":"))


def _person(author: AuthorName, site_url: str) -> dict[str, str]:
    person = {"@type": "Person", "name": author.name}
    return person | {"url": site_url.removesuffix("/") + author.href} if author.href else person


def _comment(note: Note, words: Words) -> dict[str, str]:
    return {
        "@type": "CorrectionComment",
        "name": words.text(note.heading),
        "text": note.note,
        "datePublished": note.at.iso,
    }
