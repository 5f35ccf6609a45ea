"""The dates and bylines of saved pages: found wherever they are, and never part of the body or a headline."""

from datetime import UTC, datetime, timedelta

import pytest

from ledgerpress.features.page_import.parser.author_names import author_names
from ledgerpress.features.page_import.parser.dates import DateSource
from ledgerpress.features.page_import.parser.page import ParsedPage, parse_page

RETRIEVED = datetime(2024, 12, 22, 15, 30, tzinfo=UTC)
DECEMBER_5 = datetime(2024, 12, 5, tzinfo=UTC)
AT_NINE = DECEMBER_5 + timedelta(hours=9)
ADA = ("Ada Example",)
TEXT = "The text of the article is a paragraph."


def parsed(*lines: str, above: tuple[str, ...] = (), end: tuple[str, ...] = ()) -> ParsedPage:
    page = (*above, "A headline", "A headline", *lines, TEXT, "More text follows.", *end)
    return parse_page("\n\n".join(page), RETRIEVED)


@pytest.mark.parametrize(
    ("lines", "at", "authors"),
    [
        # the examples of public reports
        (["By Ada Example", "December 5, 2024"], DECEMBER_5, ADA),
        (["Updated: December 6, 2024", "Published: December 5, 2024"], DECEMBER_5, ()),
        (["December 5, 2024 at 9:00 AM"], AT_NINE, ()),
        (["2024-12-05T09:00:00Z"], AT_NINE, ()),
        (["Posted on December 5, 2024 by Ada Example"], DECEMBER_5, ADA),
        (["Dec. 5, 2024 | 4 min read"], DECEMBER_5, ()),
        (["Yesterday at 5:00 PM"], datetime(2024, 12, 21, 17, tzinfo=UTC), ()),
        # more of their kind
        (["December 5, 2024", "By Ada Example"], DECEMBER_5, ADA),
        (["By Ada Example | December 5, 2024 at 9:00 AM"], AT_NINE, ADA),
        (["By Ada Example, December 5, 2024"], DECEMBER_5, ADA),
        (["By Ada Example on December 5, 2024"], DECEMBER_5, ADA),
        (["by Ada Example · 17 days ago · 3 Comments"], RETRIEVED - timedelta(days=17), ADA),
        (["December 5, 2024 by Ada Example"], DECEMBER_5, ADA),
        (["Published December 5, 2024 Updated December 6, 2024"], DECEMBER_5, ()),
        (["December 5, 2024 (Updated: December 6, 2024)"], DECEMBER_5, ()),
        (["Last updated on Dec 6, 2024 • First published Dec 5, 2024"], DECEMBER_5, ()),
        (["December 6, 2024", "Originally published: December 5, 2024"], DECEMBER_5, ()),
        (["By", "Ada Example", "Published", "December 5, 2024", "9:00 AM"], AT_NINE, ADA),
        (["Written by: Ada Example", "Published 9:00 AM, Thu December 5, 2024"], AT_NINE, ADA),
        (["Posted by admin on December 5th, 2024"], DECEMBER_5, ("admin",)),
        (["Author: Ada Example", "Date: 2024-12-05"], DECEMBER_5, ADA),
        (["4 min read", "December 5, 2024", "By Ada Example"], DECEMBER_5, ADA),
        (["By Ada Example, Staff Writer", "5 December 2024 09:00 GMT"], AT_NINE, ADA),
        (["December 5, 2024 by Ada Example Leave a Comment"], DECEMBER_5, ADA),
        (["By Ada ExampleDecember 5, 20249:00 AM UTCUpdated a day ago"], AT_NINE, ADA),
        (["By Ada Example", "Dec. 5, 2024", "Updated 9:30 a.m. ET"], DECEMBER_5, ADA),
        (["By Ada Example and Bob Sample", "December 5, 2024"], DECEMBER_5, ("Ada Example", "Bob Sample")),
        (["Thursday December 5, 2024 1:00 am PST by Ada Example"], AT_NINE, ADA),
        (["Posted: Dec 5, 2024 / 09:00 AM UTC"], AT_NINE, ()),
        (["December 5, 2024 / 9:00 AM UTC / The Courier"], AT_NINE, ()),
        (["Issued on: December 5, 2024 - 09:00", "Modified: December 6, 2024 - 10:00"], AT_NINE, ()),
        (["Posted by: Ada Example", "on December 5, 2024"], DECEMBER_5, ADA),
        (["Written by", "Ada Example", "on", "December 5, 2024"], DECEMBER_5, ADA),
        (["Published 17 days ago on December 5, 2024", "By Ada Example"], DECEMBER_5, ADA),
        (["December 5, 2024 9:00 am", "•", "4 min read"], AT_NINE, ()),
        (["December 5, 2024 in Local News by Ada Example"], DECEMBER_5, ADA),
        (["By: Ada Example, The Harbour | December 5, 2024"], DECEMBER_5, ADA),
        (["2024. 12. 5."], DECEMBER_5, ()),
        # ageitgey/node-unfluff#93
        (["Thursday December 5, 2024 9:00 am GMT by Ada Example"], AT_NINE, ADA),
        (["By Ada Example", "15 hours ago at 12:09 am"], datetime(2024, 12, 22, 0, 9, tzinfo=UTC), ADA),
        (["Published 8 hours ago (7:32 AM)"], datetime(2024, 12, 22, 7, 32, tzinfo=UTC), ()),
        # AndyTheFactory/newspaper4k#153
        (["5/12/2024 09:00h | Actualizado a 13/12/2024 19:20h"], AT_NINE, ()),
        (["5 December 2024, 09:00 hrs"], AT_NINE, ()),
    ],
)
def test_the_date_and_the_byline_leave_the_body(
    lines: list[str], at: datetime, authors: tuple[str, ...]
) -> None:
    for page in (parsed(*lines), parsed(above=tuple(lines))):
        assert (page.article.published_at, page.article.authors) == (at, authors)
        assert page.article.title == "A headline"
        assert page.article.body_markdown == f"{TEXT}\n\nMore text follows."
        assert page.article.date.is_guessed is False


def test_details_below_a_standfirst() -> None:
    page = parsed("A mill turns again.", "By Ada Example", "A wheel of the mill", "December 5, 2024")
    assert (page.article.published_at, page.article.authors) == (DECEMBER_5, ADA)
    assert (
        page.article.body_markdown
        == f"A mill turns again.\n\n## A wheel of the mill\n\n{TEXT}\n\nMore text follows."
    )


@pytest.mark.parametrize(
    "line",
    [
        "Published on December 5, 2024 by Ada Example",
        "This entry was posted on December 5, 2024 by Ada Example",
    ],
)
def test_details_at_the_end(line: str) -> None:
    page = parsed(end=(line,))
    assert (page.article.published_at, page.article.authors) == (DECEMBER_5, ADA)
    assert page.article.body_markdown == f"{TEXT}\n\nMore text follows."


@pytest.mark.parametrize(
    "lines",
    [
        ["December 5, 2024", "A headline", "By Ada Example"],
        ["December 5, 2024", "By Ada Example", "A headline"],
        ["By Ada Example", "December 5, 2024", "A headline"],
        ["By Ada Example | December 5, 2024", "A headline"],
    ],
)
def test_details_above_a_headline_that_is_not_repeated(lines: list[str]) -> None:
    page = parse_page("\n".join([*lines, TEXT]), RETRIEVED)
    assert (page.article.title, page.article.published_at, page.article.authors) == (
        "A headline",
        DECEMBER_5,
        ADA,
    )
    assert page.article.body_markdown == TEXT


@pytest.mark.parametrize(
    "lines", [["By Popular Demand", "December 5, 2024"], ["December 5, 2024", "By Popular Demand"]]
)
def test_a_headline_with_the_form_of_a_byline_above_the_text(lines: list[str]) -> None:
    page = parse_page("\n".join([*lines, TEXT]), RETRIEVED)
    assert (page.article.title, page.article.published_at) == ("By Popular Demand", DECEMBER_5)


@pytest.mark.parametrize("title", ["December 5, 2024", "Yesterday", "By Popular Demand"])
def test_a_repeated_headline_is_never_a_date_or_byline(title: str) -> None:
    page = parse_page(f"{title}\n{title}\n{TEXT}", RETRIEVED)
    assert (page.article.title, page.article.authors) == (title, ())
    assert page.article.date.source is DateSource.MISSING


@pytest.mark.parametrize(
    "line",
    [
        *(
            "By the time it was over, all had left.",
            "By our own correspondent",
            "By noon the mill had turned twice",
        ),
        *(
            "December 5, 2024 was a cold day.",
            "LONDON, December 5 – The mill turns.",
            "Posted letters arrive late",
        ),
        *("Photographs by Ada Example", "The mill · the dam · the sea", "Ada Example"),
    ],
)
def test_other_lines_stay_in_the_body(line: str) -> None:
    page = parsed(line)
    assert line in page.article.body_markdown.replace("\\", "")
    assert (page.article.date.source, page.article.authors) == (DateSource.MISSING, ())


def test_a_date_in_the_text_is_not_taken_after_the_date_of_the_article() -> None:
    page = parsed("December 5, 2024", "First entry of the diary.", "December 6, 2024")
    assert page.article.published_at == DECEMBER_5
    assert page.article.body_markdown.startswith("First entry of the diary.\n\n## December 6, 2024\n\n")


def test_only_the_date_of_an_update_is_uncertain() -> None:
    page = parsed("Updated: December 6, 2024")
    assert (page.article.published_at.day, page.article.date.source) == (6, DateSource.UNCERTAIN)
    assert '"December 6, 2024" is the date of an update: the page gives no other date' in page.guesses


def test_a_text_next_to_the_date_is_reported_and_is_not_the_author() -> None:
    page = parsed("Ada Example · Dec 5, 2024 · 4 min read")
    assert (page.article.published_at, page.article.authors) == (DECEMBER_5, ())
    assert page.guesses == ('the text "Ada Example" next to the date was left out',)


@pytest.mark.parametrize(
    "lines",
    [
        # codelucas/newspaper#967
        ["Received: 1 June 2024", "Accepted: 2 December 2024", "Published: 5 December 2024"],
        ["Received 1 June 2024; Accepted 2 December 2024; Published 5 December 2024"],
        # adbar/trafilatura#72
        ["December 5, 2024", "Expires: January 31, 2026"],
    ],
)
def test_the_dates_of_something_else_are_reported(lines: list[str]) -> None:
    page = parsed(*lines)
    assert page.article.published_at == DECEMBER_5
    assert page.article.body_markdown == f"{TEXT}\n\nMore text follows."
    assert all("left out" in guess for guess in page.guesses)


def test_another_date_on_the_page_determines_the_order_of_digits() -> None:
    page = parsed("Published: 5/12/2024", "The mill closed on 13/11/2024.")
    assert (page.article.published_at, page.article.date.source) == (DECEMBER_5, DateSource.CALENDAR)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Example", ADA),
        ("ADA EXAMPLE", ("ADA EXAMPLE",)),
        ("Ada Example, Bob Sample and Cy Holm", ("Ada Example", "Bob Sample", "Cy Holm")),
        ("Ada Example & Bob Sample", ("Ada Example", "Bob Sample")),
        ("Ada Example, Ada Example", ADA),
        ("J.R.R. Tolkien", ("J.R.R. Tolkien",)),
        ("Ludwig van Beethoven", ("Ludwig van Beethoven",)),
        ("Martin Luther King, Jr.", ("Martin Luther King, Jr.",)),
        ("Siobhán O’Brien-Nic Éanna", ("Siobhán O’Brien-Nic Éanna",)),
        ("山田太郎", ("山田太郎",)),
        ("ऋचा शर्मा", ("ऋचा शर्मा",)),
        ("The Associated Press", ("The Associated Press",)),
        ("Ada Example for The Courier", ADA),
        ("Ada Example, senior political correspondent", ADA),
        ("Ada Example (ada@example.org)", ADA),
        ("Ada Example @ada", ADA),
        ("Ada Example, The Harbour", ADA),
        ("Ada Example, photographs by Bob Sample and Cy Holm", ADA),
        ("admin", None),
        ("the river", None),
        ("Ada Example who was there", None),
        ("", None),
        ("A Very Long Title Of Many Words", None),
        ("Night in Town", None),
    ],
)
def test_names_in_a_byline(text: str, names: tuple[str, ...] | None) -> None:
    assert author_names(text) == names


# --- the list of recent posts ---


def recent(*lines: str) -> list[tuple[str, str | None, datetime, tuple[str, ...]]]:
    page = parse_page("\n\n".join(["A headline", "A headline", TEXT, "Recent Posts", *lines]), RETRIEVED)
    return [(post.title, post.teaser, post.published_at, post.authors) for post in page.recent]


def test_no_age_is_the_title_of_a_recent_post() -> None:
    ages = [
        "1 mo ago",
        "3d",
        "last week",
        "5h",
        "yesterday",
        "2 wks ago",
        "1y",
        "just now",
        "Yesterday at 5:00 PM",
    ]
    lines = [line for number, age in enumerate(ages) for line in (f"Headline {number}", age)]
    posts = recent(*lines)
    assert [title for title, *_ in posts] == lines[::2]
    assert [RETRIEVED - at for _, _, at, _ in posts[:8]] == [
        *(timedelta(days=30), timedelta(days=3), timedelta(days=7), timedelta(hours=5), timedelta(days=1)),
        *(timedelta(days=14), timedelta(days=365), timedelta(0)),
    ]
    assert posts[8][2] == datetime(2024, 12, 21, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "lines",
    [
        ("One (17 days ago)", "Two (18 days ago)"),
        ("One | 17d", "Two | 18d"),
        ("One · 17 days ago", "A text.", "Two · 18 days ago"),
        ("One - 17 days ago", "Two - 18 days ago"),
        ("One 17 days ago", "Two 18 days ago"),
        # chalie-ai/chalie#1723
        ("One 5 Dec 2024 15:30", "Two 4 Dec 2024 15:30"),
        ("5 Dec 2024 15:30 One", "4 Dec 2024 15:30 Two"),
        ("2024-12-05 15:30 » One", "2024-12-04 15:30 » Two"),
    ],
)
def test_an_age_next_to_the_headline_of_a_recent_post(lines: tuple[str, ...]) -> None:
    dates = [RETRIEVED - timedelta(days=17), RETRIEVED - timedelta(days=18)]
    assert [(title, at) for title, _, at, _ in recent(*lines)] == list(
        zip(["One", "Two"], dates, strict=True)
    )


def test_a_teaser_below_the_date_of_a_recent_post() -> None:
    assert recent("One", "17 days ago", "A text.", "Two", "18 days ago", "Another text.") == [
        ("One", "A text.", RETRIEVED - timedelta(days=17), ()),
        ("Two", "Another text.", RETRIEVED - timedelta(days=18), ()),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("Today in history", "Yesterday in sport"),
        ("Gala on May 5", "Gala on May 6"),
        ("Gala on May 5, 2024", "Gala on May 6, 2024"),
        ("The attack of September 11, 2001", "The attack of December 7, 1941"),
        ("What happened in 2024", "What happened in 2023"),
    ],
)
def test_headlines_with_a_date_in_their_words_stay_whole(lines: tuple[str, ...]) -> None:
    assert [title for title, *_ in recent(*lines)] == list(lines)


@pytest.mark.parametrize("title", ["Remembering May 5", "The city | a year ago today", "Part 2 - Winter"])
def test_other_headlines_of_recent_posts_stay_whole(title: str) -> None:
    assert [first for first, *_ in recent(title, "17 days ago", "Two", "18 days ago")] == [title, "Two"]


def test_links_to_the_rest_of_recent_posts_are_not_posts() -> None:
    lines = ("One", "17 days ago", "Read more", "Two", "18 days ago", "Continue reading →")
    assert [title for title, *_ in recent(*lines)] == ["One", "Two"]


def test_bylines_of_recent_posts_do_not_become_titles() -> None:
    below = ("One", "By Ada Example", "December 5, 2024 | 3 min read", "Two", "By Bob Sample", "Dec 4, 2024")
    after = ("One", "December 5, 2024", "By Ada Example", "Two", "Dec 4, 2024", "By Bob Sample")
    together = ("One", "By Ada Example · December 5, 2024", "Two", "Dec 4, 2024 by Bob Sample")
    for lines in (below, after, together):
        assert recent(*lines) == [
            ("One", None, DECEMBER_5, ADA),
            ("Two", None, DECEMBER_5 - timedelta(days=1), ("Bob Sample",)),
        ]


def test_dates_above_the_headlines() -> None:
    assert recent("December 5, 2024", "One", "A text.", "Dec 4, 2024", "Two", "Another text.") == [
        ("One", "A text.", DECEMBER_5, ()),
        ("Two", "Another text.", DECEMBER_5 - timedelta(days=1), ()),
    ]


def test_a_headline_with_the_form_of_a_byline() -> None:
    assert [title for title, *_ in recent("One", "1 day ago", "By Popular Demand", "2 days ago")] == [
        "One",
        "By Popular Demand",
    ]


def test_an_older_post_with_the_headline_of_the_article_is_another_post() -> None:
    lines = ["Letters", "Letters", "December 12, 2024", TEXT, "Recent Posts", "Letters", "December 5, 2024"]
    page = parse_page("\n\n".join(lines), RETRIEVED)
    assert (page.article.published_at, [post.published_at for post in page.recent]) == (
        datetime(2024, 12, 12, tzinfo=UTC),
        [DECEMBER_5],
    )


@pytest.mark.parametrize(
    "age", ["in 3 days", "999999 years ago", "99999999999999999999 weeks ago", "Feb 30, 2024", "a while ago"]
)
def test_an_impossible_age_is_never_a_headline(age: str) -> None:
    page = parse_page(f"A headline\n\n{TEXT}\n\nRecent Posts\n\nAnother one\n\n{age}\n", RETRIEVED)
    assert [(post.title, post.published_at) for post in page.recent] == [("Another one", RETRIEVED)]
    assert any(age in guess for guess in page.guesses)
