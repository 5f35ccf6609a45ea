"""After a withdrawal, the caches of rendered bodies keep the other bodies, and nothing of the erased one."""

from collections.abc import Iterator

import pytest

from ledgerpress.features.posts.body import html_rendering_and_sections as rendering


@pytest.fixture(autouse=True)
def empty_caches() -> Iterator[None]:
    rendering.forget()
    yield
    rendering.forget()


def test_only_the_bodies_at_erased_positions_are_removed() -> None:
    other = rendering.render("*Tide*", 7)
    for position in (8, None):
        rendering.render("The heron nests low.", position)
        rendering.teaser_of("The heron nests low.", position)
    rendering.forget({8})
    assert rendering.render("*Tide*", 7) is other
    assert "heron" not in repr((rendering._bodies._entries, rendering._teasers._entries))
    rendering.forget()
    assert rendering.render("*Tide*", 7) is not other


def test_the_same_text_that_another_event_recorded_stays() -> None:
    first, second = (rendering.render("The heron nests low.", position) for position in (8, 9))
    rendering.forget({8})
    assert rendering.render("The heron nests low.", 9) is second
    assert rendering.render("The heron nests low.", 8) is not first
