"""The parser of saved pages: headline, body, categories, dates and recent posts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.text_rules import MAX_TEASER, MAX_TITLE
from ledgerpress.features.page_import.parser.category_line import split_categories
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    is_lost_link,
    is_question_title,
    is_short_title,
    tidy_lines,
)
from ledgerpress.features.page_import.parser.page import PageUnreadable, ParsedPage, parse_page
from ledgerpress.features.posts.body.html_rendering_and_sections import render

PAGES = Path(__file__).parent.parent / "pages"
A_DATE = datetime(2025, 3, 4, tzinfo=UTC)
A_TIME = datetime(2025, 3, 4, 15, 30, tzinfo=UTC)


def page(name: str) -> str:
    return (PAGES / name).read_bytes().decode()


def parsed(name: str, retrieved_at: datetime = A_DATE) -> ParsedPage:
    return parse_page(page(name), retrieved_at)


def page_of(*lines: str, title: str = "A headline") -> str:
    return "\n\n".join((title, title, *lines))


def headings(result: ParsedPage) -> list[str]:
    return [section.title for section in render(result.article.body_markdown).sections]


def blocks(result: ParsedPage) -> list[str]:
    return render(result.article.body_markdown).text.split("\n\n")


# --- four pages, from the first line to the last ---


def test_a_page_with_lost_separators_and_eight_sections() -> None:
    result = parsed("tide-mill.txt")
    assert result.site_name == "Brack Sound Courier"
    assert result.article.title == "The Tide Mill at Brack Sound Turns Again: A Town’s Long Repair"
    assert result.article.categories == ("Heritage", "Energy")
    assert (result.article.published_at, result.article.date.is_guessed) == (A_DATE, True)
    assert headings(result) == [
        "Introduction",
        "A Mill Between Two Tides: How It Works",
        "The Years of Silence: Roads, Rollers, and Cheap Flour",
        "The Survey: Drawing What Was Left",
        "Who Pays? The Sums Behind the Stones",
        "Timber and Silt: The Work on the Dam",
        "Impact on St. Anne and the North Shore",
        "Conclusion: A Wheel Is a Clock",
    ]
    assert {section.level for section in render(result.article.body_markdown).sections} == {2}
    lines = [line for line in page("tide-mill.txt").splitlines() if line]
    assert blocks(result) == lines[3 : lines.index("See more Brack Sound Courier")]
    assert result.links_without_target == (
        "For more on the opening hours of the mill, visit this link.",
        "Read more about the other tide mills of the north shore here: Nine Wheels and One Sea.",
    )
    listed = lines[lines.index("Recent Posts") + 1 :]
    assert [post.title for post in result.recent] == listed[0::3]
    assert [post.teaser for post in result.recent] == listed[1::3]
    assert [post.teaser_is_cut for post in result.recent] == [True, True, True, False, True, True]
    assert {(post.published_at, post.age_text) for post in result.recent} == {
        (datetime(2025, 2, 27, tzinfo=UTC), "5 days ago")
    }
    assert result.guesses == (
        (
            'the category line "HeritageEnergy" was split where a lower-case letter meets an upper-case one: '
            "Heritage, Energy"
        ),
        "the page gives no date for the article: published at the retrieval date",
        'the age "5 days ago" was subtracted from the retrieval date: 2025-02-27',
    )


def test_a_page_with_commas_a_browser_title_and_ages_of_all_kinds() -> None:
    result = parsed("town-library.txt", A_TIME)
    assert result.site_name == "The Lindow Letter"
    assert result.article.title == "Library Opens on Sundays From March"
    assert result.article.categories == ("Local News", "Books", "iPhone Photos")
    assert headings(result) == ["What changes at the desk", "Will the reading room stay warm?"]
    assert result.article.authors == ("Tamsin Orde",)
    assert blocks(result)[0].startswith("The town library will open its doors")
    assert blocks(result)[-2].endswith("http://library.example/hours")
    assert result.links_without_target == ("Learn more about the new boiler here.",)
    assert [
        (post.title[:15], post.teaser is not None, post.teaser_is_cut, post.published_at, post.age_text)
        for post in result.recent
    ] == [
        ("Bridge Lamps to", True, True, datetime(2025, 3, 4, 12, 30, tzinfo=UTC), "3 hours ago"),
        ("Frost Takes the", False, False, datetime(2025, 2, 25, 15, 30, tzinfo=UTC), "1 week ago"),
        ("Who Painted the", True, False, datetime(2024, 12, 12, tzinfo=UTC), "December 12, 2024"),
        ("Allotment Prize", False, False, A_TIME, None),
        ("A Footpath Move", True, False, datetime(2025, 2, 18, 15, 30, tzinfo=UTC), "2 weeks ago"),
    ]
    assert result.guesses == (
        'the line "Skip to content" above the headline was left out',
        'the site name "The Lindow Letter" was read from the browser title',
        "the page gives no date for the article: published at the retrieval date",
        'the question "Will the reading room stay warm?" was treated as a heading',
        'the line "© The Lindow Letter" below the recent posts was left out: it looks like the footer of the page',
        'the age "3 hours ago" was subtracted from the retrieval date: 2025-03-04 12:30+00:00',
        'the age "1 week ago" was subtracted from the retrieval date: 2025-02-25 15:30+00:00',
        'the age "2 weeks ago" was subtracted from the retrieval date: 2025-02-18 15:30+00:00',
        'the recent post "Allotment Prizes Announced" has no date: published at the retrieval date',
    )


def test_a_page_without_recent_posts_or_site_but_with_a_date_and_markdown_signs() -> None:
    result = parsed("tram-line.txt")
    assert (result.site_name, result.recent, result.links_without_target) == (None, (), ())
    assert result.article.title == "Line 7 Reaches the Gasworks at Last"
    assert result.article.categories == ("Transport",)
    assert result.article.published_at == datetime(2025, 3, 3, tzinfo=UTC)
    assert not result.article.date.is_guessed
    assert headings(result) == ["Four stops, one curve", "# of seats: 48"]
    assert blocks(result) == [line for line in page("tram-line.txt").splitlines() if line][3:]
    assert result.guesses == ()


def test_a_page_with_bars_a_byte_order_mark_and_carriage_returns() -> None:
    text = page("night-market.txt")
    assert text.startswith("\ufeff")
    assert "\r\n" in text
    assert "\u00a0" in text
    result = parse_page(text, A_DATE)
    assert result.site_name == "Quayside Notes"
    assert result.article.title == "Night Market Moves to the Old Wharf"
    assert result.article.categories == ("Food", "Quayside")
    assert headings(result) == ["Room for eighty stalls"]
    assert blocks(result)[0].endswith("the old wharf in May.")
    assert [(post.title, post.teaser, post.published_at) for post in result.recent] == [
        (
            "Smokehouse Reopens",
            "A small fire, a new door, and the same family.",
            datetime(2025, 3, 3, tzinfo=UTC),
        ),
        ("Tide Clock Repaired", None, A_DATE),
    ]


# --- headline and title ---


@pytest.mark.parametrize(
    ("lines", "title", "site_name"),
    [
        (["One headline", "Text."], "One headline", None),
        (["One headline", "One headline", "One headline", "Text."], "One headline", None),
        (["The town's mill", "The Town’s Mill", "Text."], "The Town’s Mill", None),
        (["Mill - the end - The Courier", "Mill - the end", "Text."], "Mill - the end", "The Courier"),
        (["The Courier » Mill", "Mill", "Text."], "Mill", "The Courier"),
        (["Mill | The Courier", "Categories: News", "Mill", "Text."], "Mill", "The Courier"),
        (["Home", "Menu", "Mill", "Mill", "Text."], "Mill", None),
        (["Who turns the mill?", "Text."], "Who turns the mill?", None),
        (["The mill turns.", "The mill turns.", "Text."], "The mill turns.", None),
        (["Mill | The Courier", "Mill", "Text.", "See more Sound Courier"], "Mill", "Sound Courier"),
    ],
)
def test_headlines(lines: list[str], title: str, site_name: str | None) -> None:
    result = parse_page("\n\n".join(lines), A_DATE)
    assert (result.article.title, result.site_name) == (title, site_name)
    assert blocks(result) == ["Text."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the page is empty"),
        ("\ufeff\r\n \u00a0\r\n\u200b", "the page is empty"),
        ("<!DOCTYPE html>\n<title>A</title>", "HTML"),
        ("\ufeff<html>", "HTML"),
        ("Only a sentence that is no headline.\n\nAnother one.", "no headline"),
        ("w" * (MAX_TITLE + 1) + "\n\nText.", "no headline"),
        ("Categories: News", "no headline"),
        ("Recent Posts\n\nA post\n\n5 days ago", "no headline"),
        ("A headline\n\nA headline\n\nCategories: News", 'no text below its headline "A headline"'),
        ("A headline\n\n5 days ago\n\nRecent Posts\n\nA post\n\n5 days ago", "no text"),
    ],
)
def test_an_unreadable_page_gives_an_error_that_names_what_is_missing(text: str, message: str) -> None:
    with pytest.raises(PageUnreadable, match=message):
        parse_page(text, A_DATE)


def test_a_retrieval_time_without_a_time_zone_is_rejected() -> None:
    with pytest.raises(ValueError, match="time zone"):
        parse_page(page_of("Text."), datetime(2025, 3, 4))  # noqa: DTZ001


# --- body ---


@pytest.mark.parametrize(
    ("line", "is_title"),
    [
        ("Why Now? The Road Ahead", True),
        ("The “Old Mill”", True),
        ("Impact on the U.S. and Others", True),
        ("It ends here.", False),
        ("“It ends here.”", False),
        ("“The mill never stopped”", False),
        ("It goes on…", False),
        ("As follows:", False),
        ("Never!", False),
        ("これで終わり。", False),
        ("- an item", False),
        ("* * *", False),
        ("Read more about it here: The Mill", False),
        ("w" * 121, False),
    ],
)
def test_short_lines_that_can_be_headings(line: str, is_title: bool) -> None:
    assert is_short_title(line) is is_title


def test_a_heading_needs_a_paragraph_below_it() -> None:
    result = parse_page(page_of("A part", "A chapter", "Text.", "The end"), A_DATE)
    assert result.article.body_markdown == "A part\n\n## A chapter\n\nText.\n\nThe end"


def test_a_question_is_a_heading_only_before_a_long_paragraph() -> None:
    assert is_question_title("Who pays for it?", "w" * 130 + ".")
    assert not is_question_title("Who pays for it?", "Nobody.")
    assert not is_question_title("Nobody knew. Who pays for it?", "w" * 130 + ".")


@pytest.mark.parametrize(
    ("line", "is_lost"),
    [
        ("For more on the mill, visit this link.", True),
        ("Read more about the mill here: Nine Wheels", True),
        ("Click here to subscribe", True),
        ("Read more about the mill here: https://example.org/mill", False),
        ("For more than a year people here have waited.", False),
        ("Learn more about how people live here and there.", False),
    ],
)
def test_links_that_lost_their_target(line: str, is_lost: bool) -> None:
    assert is_lost_link(line) is is_lost


HOSTILE_LINES = [
    *(
        "# not a heading.",
        "## a #",
        "#hash.",
        "1. x.",
        "1) x",
        "123456789. y.",
        "* a",
        "- b",
        "+ c",
        "> q",
        "---",
        "- - -",
    ),
    *(
        "***",
        "___",
        "===",
        "```",
        "~~~ x",
        "`code`",
        "<b>bold</b>",
        "<!-- x -->",
        "<https://example.org>",
        "a < b > c",
    ),
    *(
        "[x](y)",
        "![x](y)",
        "[x]: y",
        "[x]",
        "*a* **b** _c_ __d__ ~~e~~",
        "snake_case_name",
        "_ a_b __",
        "a__b__c",
    ),
    *(
        "&amp; &lt; &#35; &nbsp; & x",
        "\\",
        "\\*",
        "C:\\dir\\",
        "a\\",
        "|a|b|",
        "|-|-|",
        "    indented.",
        "\ttab.",
        "Part #",
    ),
    *(
        "http://example.org/a_b_(c)*d*",
        "5 * 3 * 2 = 30",
        "“*”_*_",
        "!",
        "…",
        "\u00a0x.",
        "$a_1$ ^2^ ==m== :x:",
        "# #",
        "-",
        "+",
    ),
]
paragraphs = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE_LINES),
        st.text(alphabet=st.sampled_from("\\`*_[]()<>#+-=.!|~&;:/ \ta1é潮€‿\u0301\u00a0\u2028"), max_size=12),
        st.text(max_size=20),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(paragraphs)
@example(HOSTILE_LINES)
def test_the_rendered_body_contains_every_line_of_the_page(lines: list[str]) -> None:
    tidied = tidy_lines("\n".join(lines))
    result = parse_page(
        "\n".join(["A headline", "A headline", "The first paragraph.", *tidied, "The last."]),
        A_DATE,
        force=True,
    )
    assert blocks(result) == ["The first paragraph.", *tidied, "The last."]
    assert len(headings(result)) == result.article.body_markdown.count("\n## ")


@settings(deadline=None)
@given(
    st.text(),
    st.sampled_from(["Recent Posts", "Categories: A", "See more X", "5 days ago", "Title", "Text."]),
)
def test_any_text_is_parsed_or_rejected(text: str, line: str) -> None:
    for candidate in (text, page_of(text), page_of("Text.", line, text), f"{text}\n{line}\n{text}"):
        try:
            result = parse_page(candidate, A_DATE)
        except PageUnreadable:
            continue
        assert 0 < len(result.article.title) <= MAX_TITLE
        assert result.article.body_markdown
        # A retrieval without a time of day may have been at any time of that day.
        end_of_day = A_DATE + timedelta(days=1)
        assert result.article.published_at < end_of_day
        assert all(post.published_at < end_of_day and post.title for post in result.recent)


# --- categories ---


@pytest.mark.parametrize(
    ("names", "categories"),
    [
        ("BlogPolitics", ("Blog", "Politics")),
        ("News", ("News",)),
        ("Local NewsUK PoliticsHealth & Style", ("Local News", "UK Politics", "Health & Style")),
        ("BlogÉtudes", ("Blog", "Études")),
        ("iPhone", ("iPhone",)),
        ("BlogiPhoneNews", ("Blog", "iPhone", "News")),
        ("YouTubeGames", ("YouTube", "Games")),
        ("McDonaldNews", ("McDonald", "News")),
        ("PeopleMcDonald", ("People", "McDonald")),
        ("eSports", ("eSports",)),
        ("", ()),
    ],
)
def test_categories_with_lost_separators_are_split(names: str, categories: tuple[str, ...]) -> None:
    parts, guesses = split_categories(names)
    assert parts == categories
    assert bool(guesses) == (len(categories) > 1)


@pytest.mark.parametrize(
    "names", ["Blog, DevOpsNews , blog,, ", "Blog | DevOpsNews", "Blog; DevOpsNews", "Blog · DevOpsNews"]
)
def test_a_separator_takes_precedence_over_upper_case_letters(names: str) -> None:
    assert split_categories(names) == (("Blog", "DevOpsNews"), ())


@pytest.mark.parametrize(
    "line", ["Categories: A, B", "category : A | B", "Filed under: A, B", "POSTED IN: A, B"]
)
def test_category_lines_above_or_below_the_article(line: str) -> None:
    for text in (f"{line}\n\n{page_of('Text.')}", page_of("Text.", line), page_of(line, "Text.")):
        result = parse_page(text, A_DATE)
        assert (result.article.categories, blocks(result)) == (("A", "B"), ["Text."])


def test_a_paragraph_that_begins_like_a_category_line_is_not_one() -> None:
    assert parse_page(page_of("Categories: a word we avoid."), A_DATE).article.categories == ()


# --- recent posts ---


def recent(*lines: str) -> list[tuple[str, str | None, str | None]]:
    result = parse_page(page_of("Text.", "Recent Posts", *lines), A_DATE)
    return [(post.title, post.teaser, post.age_text) for post in result.recent]


def test_an_empty_list_of_recent_posts() -> None:
    assert recent() == []


def test_headlines_with_ages_only() -> None:
    assert recent("One", "1 day ago", "Two", "2 days ago") == [
        ("One", None, "1 day ago"),
        ("Two", None, "2 days ago"),
    ]


def test_headlines_without_ages() -> None:
    assert recent("One", "Two", "Two has a teaser.") == [
        ("One", None, None),
        ("Two", "Two has a teaser.", None),
    ]


def test_a_teaser_without_a_full_stop_in_a_list_with_teasers() -> None:
    assert recent("One", "A text.", "1 day ago", "Two", "Its text", "2 days ago") == [
        ("One", "A text.", "1 day ago"),
        ("Two", "Its text", "2 days ago"),
    ]


def test_a_headline_without_an_age_in_a_list_without_teasers() -> None:
    assert recent("One", "1 day ago", "Two", "Three", "2 days ago") == [
        ("One", None, "1 day ago"),
        ("Two", None, None),
        ("Three", None, "2 days ago"),
    ]


def test_a_section_of_the_article_can_have_the_heading_of_the_list() -> None:
    result = parse_page(
        page_of("Recent posts", "The lamp posts are new.", "Recent Posts", "B", "A text.", "1 day ago"),
        A_DATE,
    )
    assert blocks(result) == ["Recent posts", "The lamp posts are new."]
    assert [post.title for post in result.recent] == ["B"]


def test_a_repeated_list_is_read_once() -> None:
    entries = ("One", "A text.", "1 day ago")
    assert recent(*entries, "Recent Posts", *entries) == [entries]


def test_the_article_in_its_own_list_is_imported_once_with_the_date_in_the_list() -> None:
    result = parse_page(
        page_of("Text.", "Recent Posts", "A Headline", "Text…", "2 days ago", "B", "1 day ago"), A_DATE
    )
    assert [post.title for post in result.recent] == ["B"]
    assert (result.article.published_at, result.article.date.is_guessed) == (
        datetime(2025, 3, 2, tzinfo=UTC),
        False,
    )
    assert 'the recent post "A Headline" is the article itself and was imported only once' in result.guesses


def test_entries_too_long_for_a_post_are_cut_or_left_out() -> None:
    entries = ("B", "w " * 900, "1 day ago", "w" * (MAX_TITLE + 1), "1 day ago")
    result = parse_page(page_of("Text.", "Recent Posts", *entries), A_DATE)
    (post,) = result.recent
    assert post.title == "B"
    assert post.teaser is not None
    assert len(post.teaser) <= MAX_TEASER
    assert post.teaser_is_cut
    assert any("too long for a headline" in guess for guess in result.guesses)


def test_the_name_of_the_site_can_be_below_the_list() -> None:
    result = parse_page(
        page_of("Text.", "Recent Posts", "B", "A text.", "1 day ago", "See more The Courier"), A_DATE
    )
    assert [post.title for post in result.recent] == ["B"]
    assert result.site_name == "The Courier"
