"""The time bar of histories, of versions and of the page of corrections: marks, the previous and the next change."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from tests.integration.graphql_client import Client, client
from tests.integration.test_pages_in_time import at
from tests.integration.test_time_bar import changes, last, marks, step


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past and histories are public."""
    async with client(tmp_path, open_past=True, public_history=True) as site:
        yield site


def drawn(positions: Iterable[int], edited: int) -> list[int]:
    """Return the positions that have marks: a correction hides the mark of a later publication at the same time."""
    first, *later = positions
    return [first, *(position for position in later if position != edited)]


async def publish_and_correct(site: Client) -> tuple[str, dict[str, int]]:
    """Publish, correct and hide an article, with drafts in between; return its id, and the positions of its changes."""
    at: dict[str, int] = {}
    mill = await site.write("The mill", slug="mill", body="Two wheels.", publish=True)
    at["published"] = await last(site, "post.published")
    await site.do("postEdit", id=mill["id"], body="A draft.")
    note = {"note": "It has three wheels."}
    await site.do("postEdit", id=mill["id"], body="Three wheels.", publish=True, withCorrection=note)
    at["edited"] = await last(site, "post.published")
    at["corrected"] = await last(site, "correction.recorded")
    await site.do("postCategorize", id=mill["id"], category={"slug": "town"})
    await site.do("correctionAdd", id=mill["id"], kind="CLARIFICATION", note="Only two of them turn.")
    at["clarified"] = await last(site, "correction.recorded")
    await site.do("postEdit", id=mill["id"], body="Four wheels.")
    await site.do("postUnpublish", id=mill["id"])
    at["unpublished"] = await last(site, "post.unpublished")
    await site.do("postPublish", id=mill["id"])
    at["published again"] = await last(site, "post.published")
    return mill["id"], at


async def test_a_history_changes_with_publications_corrections_and_the_end_of_a_publication(
    site: Client,
) -> None:
    await site.do("categoryCreate", name="Town")
    _, positions = await publish_and_correct(site)
    history = "/articles/mill/history"
    assert marks(await site.http.get(history)) == drawn(positions.values(), positions["edited"])
    *earlier, _ = positions.values()
    assert await changes(site, history) == earlier
    first = await at(site, history, positions["published"])
    assert step(first, "next") == positions["edited"]
    # An article also changes when it is put into a category.
    assert len(await changes(site, "/articles/mill")) == len(earlier) + 1


async def test_a_version_changes_from_its_publication_on(site: Client) -> None:
    await site.do("categoryCreate", name="Town")
    _, positions = await publish_and_correct(site)
    _, *later = positions.values()
    assert await changes(site, "/articles/mill/history/2") == later[:-1]
    assert marks(await site.http.get("/articles/mill/history/2")) == drawn(later, positions["edited"])
    assert step(await at(site, "/articles/mill/history/2", 0), "next") == later[0]
    assert marks(await site.http.get("/articles/mill/history/3")) == later[-1:]


async def test_the_page_of_corrections_changes_with_corrections_and_published_edits(site: Client) -> None:
    await site.do("categoryCreate", name="Town")
    mill, positions = await publish_and_correct(site)
    names = ("edited", "corrected", "clarified", "published again")
    expected = [positions[name] for name in names]
    await site.do("postPublish", id=mill, publishedAt="2020-01-01T00:00:00Z")  # no edit
    tram = await site.write("The tram", body="It rings.", publish=True)
    await site.do("postEdit", id=tram["id"], body="It rings twice.", publish=True)
    expected.append(await last(site, "post.published"))
    await site.do("postEdit", id=tram["id"], body="A draft.")
    ids = await site.ask('{ article(slug: "mill") { corrections { id } } }')
    first, second = (correction["id"] for correction in ids["article"]["corrections"])
    await site.do("correctionReword", id=mill, correction=first, note="It has three wheels, not two.")
    expected.append(await last(site, "correction.reworded"))
    assert marks(await site.http.get("/corrections")) == drawn(expected, positions["edited"])
    assert await changes(site, "/corrections") == expected[:-1]

    await site.do("correctionRetract", id=mill, correction=second)
    expected.remove(positions["clarified"])
    assert marks(await site.http.get("/corrections")) == drawn(expected, positions["edited"])
    await site.do("postUnpublish", id=mill)
    assert marks(await site.http.get("/corrections")) == expected[-2:-1]


async def test_without_public_histories_only_corrections_change_their_page(tmp_path: Path) -> None:
    async with client(tmp_path, open_past=True) as site:
        await site.do("categoryCreate", name="Town")
        _, positions = await publish_and_correct(site)
        page = await site.http.get("/corrections")
        assert marks(page) == [positions["corrected"], positions["clarified"]]
        closed = await at(site, "/articles/mill/history", 1)
        assert closed.status_code == 403
        assert "data-marks" not in closed.text or marks(closed) == []
        assert closed.text == (await at(site, "/articles/unknown/history", 1)).text


@pytest.mark.parametrize(
    "path", ["/articles/mill/history/x", "/articles/mill/history/99", "/articles/no/history"]
)
async def test_an_address_without_a_page_has_no_changes(site: Client, path: str) -> None:
    await site.do("categoryCreate", name="Town")
    await publish_and_correct(site)
    assert (await site.http.get(path)).status_code == 404
    assert marks(await at(site, path, 5)) == []


async def test_republications_without_a_change_are_passed_over(site: Client) -> None:
    post = await site.write("The mill", slug="mill", body="One.", publish=True)
    await site.do("postEdit", id=post["id"], body="Two.", publish=True)
    edited = await last(site, "post.published")
    for day in range(1, 29):
        await site.do("postPublish", id=post["id"], publishedAt=f"2020-01-{day:02}T00:00:00Z")
    page = await site.http.get("/corrections")
    assert marks(page) == [edited]
    assert step(await at(site, "/corrections", 1), "next") == edited
