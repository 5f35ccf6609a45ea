"""The entries of feeds: articles and corrections, as data that both formats write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape

from markupsafe import Markup

from ledgerpress.features.authors import queries as authors
from ledgerpress.features.categories.category_links_on_pages import category_href
from ledgerpress.features.categories.queries import Category
from ledgerpress.features.feeds import change_queries
from ledgerpress.features.feeds.absolute_links import with_absolute_links
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.features.posts.body.html_rendering_and_sections import render, teaser_of
from ledgerpress.features.posts.corrections import queries as corrections
from ledgerpress.features.posts.pages import CORRECTION_HEADINGS, article_href
from ledgerpress.features.site.local_times import DayText, local_time
from ledgerpress.features.site.queries import site_language, site_tzinfo
from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@dataclass(frozen=True, slots=True)
class Tag:
    """A category of an entry. `scheme` is the URL below which its page is."""

    term: str
    label: str
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry. Times are in microseconds since 1970, UTC. `html` is `None` in a feed with teasers."""

    id: str
    url: str
    title: str
    published: int
    updated: int
    authors: Sequence[str]
    tags: Sequence[Tag]
    summary: str
    html: str | None


@dataclass(frozen=True, slots=True)
class DeletedEntry:
    """An entry that was removed, and when: `at-deleted-entry` of RFC 6721."""

    id: str
    at: int


@dataclass(frozen=True, slots=True)
class EntryWriter:
    """Creates entries. `today` decides what readers may see now; the entries themselves are as of `view`.

    `base` is the address of the site, and `is_full` whether entries contain the text and not only the teaser. `words` returns
    the words of the site in a language.
    """

    today: Snapshot
    base: str
    is_full: bool
    words: Callable[[str], Words]

    def article(self, view: Snapshot, seq: int) -> Entry | None:
        """Return the entry of an article that is public today; `None` if it is not, or if its text was withdrawn."""
        now = article_queries.by_seq(self.today, seq)
        article = article_queries.by_seq(view, seq)
        if now is None or article is None or not now.title or not article.title:
            return None
        markdown = post_queries.markdown(view, article.body)
        url = self.base + article_href(article.slug)
        revised_at = change_queries.revised_at(view, seq)
        return Entry(
            id=urn(article.id),
            url=url,
            title=article.title,
            published=article.published_at,
            updated=article.updated_at if revised_at is None else max(article.updated_at, revised_at),
            authors=self._authors(view, article),
            tags=[self._tag(category) for category in post_queries.categories_of(view, seq)],
            summary=teaser_of(markdown, article.body) if article.teaser is None else article.teaser,
            html=self._article_html(view, article, url, markdown) if self.is_full else None,
        )

    def correction(self, view: Snapshot, item: change_queries.CorrectionItem, position: int) -> Entry | None:
        """Return the entry of a correction that readers see today; `None` if they do not.

        `position` is that of the event that recorded it.
        """
        now = article_queries.by_seq(self.today, item.post)
        article = article_queries.by_seq(view, item.post)
        if now is None or article is None or not now.title or not article.title:
            return None
        notes = self._public_corrections(view, article.id)
        note = next((note for note in notes if note.position == position), None)
        if note is None:
            return None
        url = self.base + article_href(article.slug)
        link = f'<p><a href="{escape(url)}">{escape(article.title)}</a></p>'
        return Entry(
            id=urn(note.id),
            url=url,
            title=article.title,
            published=note.recorded_at,
            updated=note.recorded_at if note.reworded_at is None else note.reworded_at,
            authors=self._authors(view, article),
            tags=[Tag(note.kind.value, self._words(view).text(CORRECTION_HEADINGS[note.kind]))],
            summary=note.note,
            html=_in_its_direction(_note_html(note, self._words(view), site_tzinfo(view)) + link)
            if self.is_full
            else None,
        )

    def _public_corrections(self, view: Snapshot, post_id: str) -> list[corrections.Correction]:
        """Return the corrections as of `view` that readers also see today."""
        public = {note.position for note in corrections.of_article(self.today, post_id)}
        return [note for note in corrections.of_article(view, post_id) if note.position in public]

    def _words(self, view: Snapshot) -> Words:
        return self.words(site_language(view))

    def _tag(self, category: Category) -> Tag:
        return Tag(category.slug, category.name, self.base + category_href(""))

    @staticmethod
    def _authors(view: Snapshot, article: Article) -> list[str]:
        return [author.name for author in authors.authors(view, article.author_ids) if author.name]

    def _article_html(self, view: Snapshot, article: Article, url: str, markdown: str) -> str:
        body, zone = with_absolute_links(render(markdown, article.body).html, url), site_tzinfo(view)
        words = self._words(view)
        notes = (_note_html(note, words, zone) for note in self._public_corrections(view, article.id))
        return _in_its_direction("".join([body, *notes]))


def urn(id_: str) -> str:
    """Return the permanent IRI of an object (RFC 4287, section 4.2.6), which contains no address that could change."""
    return f"urn:uuid:{id_}"


def _note_html(note: corrections.Correction, words: Words, zone: tzinfo) -> str:
    day = DayText(local_time(note.recorded_at, zone))
    # A reader for feeds may be in another language.
    language = words.language if words.has_translations else "en"
    kind = Markup("<strong>{}</strong>").format(words(CORRECTION_HEADINGS[note.kind]))
    heading = words("{kind} ({date}):", kind=kind, date=day)
    passage = "" if note.passage is None else f"<blockquote>{escape(note.passage)}</blockquote>"
    return f'<p><span lang="{escape(language)}">{heading}</span> {escape(note.note)}</p>{passage}'


def _in_its_direction(html: str) -> str:
    """Return HTML whose direction follows from its text: a reader for feeds may be in a language of another direction."""
    return f'<div dir="auto">{html}</div>'
