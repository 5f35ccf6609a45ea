"""The body of a post or an article, in the forms that readers and programs need."""

import strawberry

from ledgerpress.features.posts.body.rendering import RenderedBody, render


@strawberry.type(description="A heading within a body.")
class Section:
    level: int = strawberry.field(description="1 to 6, as in HTML.")
    title: str
    anchor: str = strawberry.field(description="The heading's id in the HTML, unique within the body.")


@strawberry.type(description="A body, written in CommonMark.")
class Body:
    """A body, written in CommonMark. It is rendered when a derived field is requested."""

    markdown: str

    @strawberry.field(description="Sanitised HTML.")
    def html(self) -> str:
        return self._rendered.html

    @strawberry.field(description="Plain text, paragraphs separated by an empty line.")
    def text(self) -> str:
        return self._rendered.text

    @strawberry.field(description="The headings, in order.")
    def sections(self) -> list[Section]:
        return [
            Section(level=one.level, title=one.title, anchor=one.anchor) for one in self._rendered.sections
        ]

    @strawberry.field
    def word_count(self) -> int:
        return self._rendered.word_count

    @strawberry.field
    def reading_minutes(self) -> int:
        return self._rendered.reading_minutes

    @property
    def _rendered(self) -> RenderedBody:
        return render(self.markdown)
