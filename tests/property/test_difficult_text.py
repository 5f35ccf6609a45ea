"""Difficult text passes through everything that reads and writes text: nothing is lost, and no character is divided."""

import asyncio
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.slugs.model import is_well_formed
from ledgerpress.grapheme_clusters import clusters
from ledgerpress.operator.event_files import export_events, import_events
from ledgerpress.operator.verify import verify_log, verify_views
from ledgerpress.server.log_url import LOCAL
from tests.fixed_sources import StandingClock
from tests.integration.graphql_client import Client, client
from tests.property.difficult_text import BODIES, LINES, examples, grapheme_cases, unicode_lines
from tests.unit.test_body_nesting import Shown

POST: Final = """
  query ($id: ID!, $to: Int!) { node(id: $id) { ... on Post {
    title slug teaser status version
    body { markdown text html sections { title anchor } }
    article { title teaser teaserIsCut body { markdown html } corrections { note passage } }
    history(first: 100, orderBy: OLDEST) { nodes { position type reason before after } }
    blame { text version reason }
    diff(from: 1, to: $to) { title { before after } body { spans { kind text } unified } }
  } } }
"""
CHANGES: Final = (
    "{ changes(first: 100, orderBy: NEWEST) { totalCount nodes { position type reason before after } } }"
)
LINE_ENDS: Final = re.compile("\r\n|[\r\v\x85\u2028]")
SPACE: Final = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u202f\u205f\u3000\ufeff"

PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking, which takes minutes: the parts are readable as they are."""


@dataclass(frozen=True, slots=True)
class Written:
    """A post as a client wrote it: the bodies of its versions, and texts of one line."""

    bodies: tuple[str, ...]
    title: str
    note: str


def recorded_body(text: str) -> str:
    """Return a body as it must be recorded: only line ends and byte order marks change."""
    return re.sub("(?m)^\ufeff+", "", LINE_ENDS.sub("\n", text).replace("\u2029", "\n\n"))


def recorded_line(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\t", " ").strip(SPACE)


def allowed(bodies: Sequence[str]) -> tuple[str, ...]:
    """Return the bodies without the characters that LedgerPress rejects."""
    return tuple(re.sub("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]", "", body) for body in bodies)


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text))


def missing(expected: set[str], html: str) -> set[str]:
    """Return the words that HTML does not show. A word may adjoin the next element, as a description does its caption."""
    text = Shown(html).text
    return {word for word in expected if word not in text}


def ends(parts: Iterable[str]) -> set[int]:
    """Return the offsets between the parts of a text, and its ends."""
    return set(accumulate(map(len, parts), initial=0))


def assert_divides_no_character(parts: Sequence[str]) -> None:
    assert ends(parts) <= ends(clusters("".join(parts)))


async def write(api: Client, post: Written) -> str:
    """Create, edit and publish a post, and return its id."""
    created = await api.write(post.title, body=post.bodies[0], reason=post.note, publish=True)
    for body in post.bodies[1:]:
        edited = await api.do("postEdit", id=created["id"], body=body, reason=post.note)
        assert edited["userErrors"] == []
    published = await api.do("postPublish", id=created["id"], correction=post.note, reason=post.note)
    assert published["userErrors"] == []
    passage = await api.do(
        "correctionAdd", id=created["id"], note="Quoted.", passage=post.title, reason=post.note
    )
    assert passage["userErrors"] == []
    post_id: str = created["id"]
    return post_id


async def read(api: Client, post: Written, post_id: str) -> dict[str, Any]:
    """Return everything that readers and editors see of a post."""
    version = (await api.ask("query ($id: ID!) { node(id: $id) { ... on Post { version } } }", id=post_id))[
        "node"
    ]["version"]
    stored = (await api.ask(POST, id=post_id, to=version))["node"]
    page = await api.http.get(f"/articles/{quote(stored['slug'])}")
    assert page.status_code == 200
    return {**stored, "page": page.text}


def check(post: Written, stored: dict[str, Any]) -> None:
    bodies = [recorded_body(body) for body in post.bodies]
    note = unicodedata.normalize("NFC", post.note).strip(SPACE)
    assert stored["title"] == stored["article"]["title"] == recorded_line(post.title)
    assert is_well_formed(stored["slug"])
    check_body(bodies[-1], stored)
    check_history(bodies, note, stored)
    check_diff(bodies, stored)
    check_blame(bodies, stored)


def check_body(body: str, stored: dict[str, Any]) -> None:
    """The body is complete in Markdown, HTML, text and on the page, and its teaser ends between two characters."""
    article = stored["article"]
    assert stored["body"]["markdown"] == article["body"]["markdown"] == body
    expected = words(stored["body"]["text"])
    assert not missing(expected, stored["body"]["html"])
    assert not missing(expected | words(stored["title"]), stored["page"])
    lead = " ".join(render(body).lead.split())
    teaser = article["teaser"]
    if article["teaserIsCut"]:
        teaser = teaser.removesuffix("…")
        assert lead.startswith(teaser)
    assert len(teaser) in ends(clusters(lead))


def check_history(bodies: Sequence[str], note: str, stored: dict[str, Any]) -> None:
    """The history has every version of the body and every reason, and the article has its correction."""
    changes = [change for change in stored["history"]["nodes"] if change["type"].startswith("post.")]
    recorded = [change["after"]["body"] for change in changes if "body" in change["after"]]
    expected = [body for number, body in enumerate(bodies) if not number or body != bodies[number - 1]]
    assert recorded == expected
    assert {change["reason"] for change in changes} == {note}
    *short, quoted = stored["article"]["corrections"]
    assert [correction["note"] for correction in short] in ([], [note])
    assert recorded_line(quoted["passage"]) == stored["title"]


def check_diff(bodies: Sequence[str], stored: dict[str, Any]) -> None:
    difference = stored["diff"]["body"]
    if difference is None:
        return
    spans = difference["spans"]
    before = [span["text"] for span in spans if span["kind"] != "INSERT"]
    after = [span["text"] for span in spans if span["kind"] != "DELETE"]
    assert "".join(before) == bodies[0]
    assert "".join(after) == bodies[-1]
    assert_divides_no_character(before)
    assert_divides_no_character(after)


def check_blame(bodies: Sequence[str], stored: dict[str, Any]) -> None:
    parts = [span["text"] for span in stored["blame"]]
    assert "".join(parts) == bodies[-1]
    assert_divides_no_character(parts)


async def pass_through(posts: Sequence[Written], folder: Path) -> None:
    """Write the posts, check what readers and editors see, and check that an imported export is the same."""
    data, file, copy = folder / "store", folder / "events.jsonl", folder / "copy"
    async with client(data, clock=StandingClock()) as api:
        ids = [await write(api, post) for post in posts]
        seen = [await read(api, post, post_id) for post, post_id in zip(posts, ids, strict=True)]
        for post, stored in zip(posts, seen, strict=True):
            check(post, stored)
        changes = await api.ask(CHANGES)
    with file.open("wb") as target:
        await export_events(data, LOCAL, target, lambda _done, _total: None)
    with file.open("rb") as source:
        head = await import_events(source, copy)
    async with client(copy, clock=StandingClock()) as api:
        assert [await read(api, post, post_id) for post, post_id in zip(posts, ids, strict=True)] == seen
        assert await api.ask(CHANGES) == changes
    for store in (data, copy):
        verification = await verify_log(store)
        assert verification.finding is None
        assert verification.head == head
        views = await verify_views(store)
        assert views is not None
        assert not views.differing
        assert views.failure is None


def test_unicodes_cases_are_divided_as_unicode_states() -> None:
    assert len(grapheme_cases()) > 590
    for case in grapheme_cases():
        assert clusters("".join(case)) == list(case)


def test_what_the_specifications_show_is_shown() -> None:
    """Single letters are left out: in some examples, one is the language of a code block, which is not shown."""
    for example in examples():
        expected = {word for word in words(Shown(example.html).text) if len(word) > 1}
        body = render(example.markdown)
        assert expected <= words(Shown(body.html).text), example
        assert expected <= words(body.text), example


def test_the_corpus_passes_through(tmp_path: Path) -> None:
    lines = [*LINES, *unicode_lines()]
    markdown = [example.markdown for example in examples()]
    bodies = [*lines, *BODIES, *("\n\n".join(markdown[at : at + 8]) for at in range(0, len(markdown), 8))]
    posts = [
        Written(
            bodies=(f"First.\n\n{body}", f"First.\n\n{lines[number % len(lines)]}\n\n{body}\n\nLast."),
            title=lines[number % len(lines)][:250],
            note=lines[-number % len(lines)],
        )
        for number, body in enumerate(bodies)
    ]
    asyncio.run(pass_through(posts, tmp_path))


_pieces = (
    st.sampled_from((*LINES, *BODIES))
    | st.sampled_from(grapheme_cases()).map("".join)
    | st.sampled_from(examples()).map(lambda example: example.markdown)
    | st.text(max_size=10)
)
_bodies = st.lists(st.lists(_pieces, max_size=4), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from(("\n\n", "\n", " ", "")).map(lambda end: tuple(map(end.join, parts)))
)
_titles = st.sampled_from(LINES).map(lambda line: line[:250])
_posts = st.builds(Written, bodies=_bodies.map(allowed), title=_titles, note=st.sampled_from(LINES))


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(st.lists(_posts, min_size=1, max_size=4))
def test_any_mixture_passes_through(posts: list[Written]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(pass_through(posts, Path(folder)))
