"""Text in mutations: blank titles and names, line ends, byte order marks, and differences in any script."""

import pytest

from tests.integration.graphql_client import Client

BLANKS = (
    "\u3164",
    "\u115f\u1160",
    "\uffa0",
    "\u2800",
    "\u034f",
    "\ufe0f",
    "\u17b4",
    "\u2065",
    "\ufeff",
    " \u200d ",
)
WORD = "one\vtwo\x85three\u2028four\r\nfive\rsix"
LINES = "one\ntwo\nthree\nfour\nfive\nsix"


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
async def test_nothing_gets_a_blank_title_name_or_slug(api: Client, blank: str) -> None:
    post = await api.write("Mill")
    category = (await api.do("categoryCreate", "category { id }", name="News"))["category"]
    head = await api.store.log.head()
    for mutation, field, input in (
        ("postCreate", "title", {}),
        ("postEdit", "title", {"id": post["id"]}),
        ("categoryCreate", "name", {}),
        ("categoryRename", "name", {"category": {"id": category["id"]}}),
        ("authorRegister", "name", {}),
        ("tokenCreate", "name", {"role": "READER"}),
        ("siteName", "name", {}),
    ):
        (error,) = (await api.do(mutation, **input, **{field: blank}))["userErrors"]
        assert (error["code"], error["field"]) == ("BLANK", ["input", field]), mutation
    for slug in (blank, f"mill{blank.strip()}"):
        (error,) = (await api.do("postEdit", id=post["id"], slug=slug))["userErrors"]
        assert error["code"] == "SLUG_MALFORMED"
    assert await api.store.log.head() == head


async def test_line_ends_of_every_system_become_line_feeds(api: Client) -> None:
    post = await api.write("Mill", teaser=WORD, body=WORD, publish=True, reason=WORD)
    await api.do("postEdit", id=post["id"], body="Nine.")
    await api.do("postPublish", id=post["id"], correction=WORD)
    category = await api.do("categoryCreate", "category { description }", name="News", description=WORD)
    assert category["category"]["description"] == LINES
    shown = await api.ask(
        """{ post(slug: "mill") { teaser history(orderBy: OLDEST) { nodes { reason after } } }
             article(slug: "mill") { corrections { note } } }"""
    )
    assert shown["post"]["teaser"] == LINES
    created = shown["post"]["history"]["nodes"][0]
    assert (created["reason"], created["after"]["body"]) == (LINES, LINES)
    assert shown["article"]["corrections"] == [{"note": LINES}]


async def test_a_title_is_one_line_in_which_a_tab_is_a_space(api: Client) -> None:
    for end in ("\r\n", "\v", "\x85", "\u2028"):
        (error,) = (await api.do("postCreate", title=f"Tide{end}mill"))["userErrors"]
        assert error["code"] == "INVALID_TEXT"
        assert (
            error["message"] == f"The title must be one line, but contains the line end U+{ord(end[0]):04X}."
        )
    payload = await api.do("postCreate", "post { title slug }", title="Tide\tmill\v")
    assert payload["post"] == {"title": "Tide mill", "slug": "tide-mill"}


async def test_a_byte_order_mark_is_stripped(api: Client) -> None:
    payload = await api.do(
        "postCreate", "post { title teaser body { markdown html } }",
        title="\ufeffMill", teaser="\ufeffTurns.", body="\ufeff# Wheels\r\n",
    )  # fmt: skip
    post = payload["post"]
    assert (post["title"], post["teaser"], post["body"]["markdown"]) == ("Mill", "Turns.", "# Wheels\n")
    assert "<h1" in post["body"]["html"]


async def test_a_reason_without_a_visible_character_is_none(api: Client) -> None:
    await api.write("Mill", teaser="\u3164", reason="\u200b\n")
    shown = await api.ask('{ post(slug: "mill") { teaser history { nodes { reason } } } }')
    assert shown["post"] == {"teaser": None, "history": {"nodes": [{"reason": None}]}}


async def test_a_teaser_and_a_difference_divide_no_character(api: Client) -> None:
    post = await api.write("Mill", body="क्षि" * 80, publish=True)
    article = (await api.ask('{ article(slug: "mill") { teaser teaserIsCut } }'))["article"]
    assert article == {"teaser": "क्षि" * 49 + "…", "teaserIsCut": True}
    await api.do("postEdit", id=post["id"], body="ตลาดกลางคืนเปิด")
    await api.do("postEdit", id=post["id"], body="ตลาดกลางวันเปิด")
    diff = await api.ask('{ post(slug: "mill") { diff(from: 3, to: 4) { body { spans { kind text } } } } }')
    assert diff["post"]["diff"]["body"]["spans"] == [
        {"kind": "EQUAL", "text": "ตลาดกลาง"},
        {"kind": "DELETE", "text": "คื"},
        {"kind": "INSERT", "text": "วั"},
        {"kind": "EQUAL", "text": "นเปิด"},
    ]
