"""Bodies as clients and readers see them: nothing is lost, and the Markdown of newsrooms works."""

from tests.integration.graphql_client import Client

ARTICLE = "query ($slug: String!) { article(slug: $slug) { teaser body { markdown html text wordCount sections { title } } } }"


async def test_text_after_a_line_of_dashes_is_published(api: Client) -> None:
    markdown = "Intro.\n\n- - - - - - - - - - cut here\n\n## Part two\n\nThe rest of the article."
    await api.write("Dashes", body=markdown, publish=True)
    body = (await api.ask(ARTICLE, slug="dashes"))["article"]["body"]
    assert body["markdown"] == markdown
    assert body["text"] == "Intro.\n\n- cut here\n\nPart two\n\nThe rest of the article."
    assert body["html"].endswith("<p>The rest of the article.</p>\n")
    assert body["sections"] == [{"title": "Part two"}]
    assert body["wordCount"] == 10
    page = await api.http.get("/articles/dashes")
    assert "<p>The rest of the article.</p>" in page.text


async def test_ten_numbers_are_an_article(api: Client) -> None:
    await api.write("Countdown", body="1. 2. 3. 4. 5. 6. 7. 8. 9. 10. go!", publish=True)
    assert (await api.ask(ARTICLE, slug="countdown"))["article"]["body"]["text"] == "10. go!"


async def test_a_teaser_is_prose(api: Client) -> None:
    await api.write("Boat", body="![A boat at sea](/boat.png)\n\nThe tide came in.", publish=True)
    assert (await api.ask(ARTICLE, slug="boat"))["article"]["teaser"] == "The tide came in."
    assert (
        '<meta name="description" content="The tide came in.">' in (await api.http.get("/articles/boat")).text
    )
    assert "A boat at sea" not in (await api.http.get("/")).text


async def test_footnotes_are_on_the_page(api: Client) -> None:
    await api.write(
        "Notes", body="Built in 1890[^a], [call](tel:+15550100).\n\n[^a]: See the *archive*.", publish=True
    )
    page = (await api.http.get("/articles/notes")).text
    assert '<a href="#note_1" id="noteref_1"' in page
    assert "See the <em>archive</em>." in page
    assert '<a href="tel:+15550100"' in page
