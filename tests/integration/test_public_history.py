"""Public histories of articles: what readers get over HTTP, and what they never get."""

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.integrity.merkle_tree_projection import tree_head
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.public_history import check_proof, html_pages
from ledgerpress.operator.withdraw import withdraw_from
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

SCRIPT: Final = Path(check_proof.__file__)
SECRETS = ("Nobody may read this draft", "The mayor complained", "Night desk", "Another draft")
REVISIONS = """
query ($slug: String!) { article(slug: $slug) { revisions { totalCount nodes {
  number kind title teaser isIncomplete body { markdown } corrections { kind note passage }
  diff { from to title { before after } body { spans { kind text } } }
  proof { publication position leafHash size root path }
} } } }
"""


def text_of(page: httpx2.Response) -> str:
    """Return the text of a page, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", page.text)).split())


def diff_of(page: httpx2.Response) -> str:
    """Return the HTML of the differences on a page."""
    match = re.search(r'<(div|table) class="diff .*?</main>', page.text, re.DOTALL)
    return match[0] if match else ""


async def newsroom(api: Client) -> dict[str, Any]:
    """Publish an article three times, with drafts in between; return the post."""
    mill = await api.write("The tide mill", body="It has two wheels.\n\nIt stands by the weir.", publish=True)
    await api.do("postEdit", id=mill["id"], body=SECRETS[0], reason=SECRETS[1])
    await api.do(
        "postEdit",
        id=mill["id"],
        body="It has three wheels.\n\nIt stands by the weir.",
        publish=True,
        withCorrection={"note": "It has three wheels, not two.", "passage": "three wheels"},
        reason=SECRETS[1],
    )
    await api.do("postEdit", id=mill["id"], body=SECRETS[3])
    await api.do(
        "postEdit",
        id=mill["id"],
        title="The mill",
        body="It has three wheels.\n\nIt stands by the old weir.",
        publish=True,
    )
    await api.do("postEdit", id=mill["id"], body=SECRETS[3])
    return mill


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path / "public", public_history=True) as api:
        yield api


async def test_an_article_links_to_its_history_of_published_revisions(public: Client) -> None:
    await newsroom(public)
    article = await public.http.get("/articles/the-tide-mill")
    assert '<a href="/articles/the-tide-mill/history">History</a>' in article.text

    page = await public.http.get("/articles/the-tide-mill/history")
    assert page.status_code == 200
    text = text_of(page)
    assert "3 published versions" in text
    versions = re.findall(r"Version (\d)", text)
    assert versions == ["3", "2", "1"]
    assert re.search(r"Version 3 .*? Edited without a note Changed: headline and text", text)
    assert re.search(r"Version 2 .*? Changed: text Correction .*? It has three wheels, not two\.", text)
    assert re.search(r"Version 1 .*? First published", text)
    assert not any(secret in page.text for secret in SECRETS)
    assert '<meta name="robots" content="noindex">' in page.text


async def test_a_revision_shows_the_words_that_changed_and_the_corrected_passage(public: Client) -> None:
    await newsroom(public)
    page = await public.http.get("/articles/the-tide-mill/history/2")
    assert page.status_code == 200
    assert "It has <del>two</del><mark><ins>three</ins> wheels</mark>." in diff_of(page)
    assert "<blockquote" in page.text
    sides = await public.http.get("/articles/the-tide-mill/history/2?view=side-by-side")
    assert "It has <del>two</del> wheels." in diff_of(sides)
    assert "It has <mark><ins>three</ins> wheels</mark>." in diff_of(sides)
    assert diff_of(sides).count("It stands by the weir.") == 2

    first = await public.http.get("/articles/the-tide-mill/history/1")
    assert "It has two wheels." in diff_of(first)
    assert "<ins>" not in first.text
    across = await public.http.get("/articles/the-tide-mill/history/3?from=1")
    assert "<del>The tide</del><ins>The</ins>" in diff_of(across) or "<del>tide </del>" in diff_of(across)
    for page in (sides, first, across):
        assert not any(secret in page.text for secret in SECRETS)


async def test_a_change_of_links_only_is_shown_in_the_source(public: Client) -> None:
    post = await public.write("Links", body="See [the weir](https://a.example/).", publish=True)
    await public.do("postEdit", id=post["id"], body="See [the weir](https://b.example/).", publish=True)
    page = await public.http.get("/articles/links/history/2")
    assert "The words of the text are the same." in text_of(page)
    assert "<ins>" in diff_of(page)


async def test_paragraphs_that_are_joined_or_added_are_marked(public: Client) -> None:
    post = await public.write("Joined", body="One wheel.\n\nTwo weirs.", publish=True)
    await public.do("postEdit", id=post["id"], body="One wheel. Two weirs.", publish=True)
    await public.do("postEdit", id=post["id"], body="One wheel. Two weirs.\n\nMore.", publish=True)
    joined, added = [diff_of(await public.http.get(f"/articles/joined/history/{n}")) for n in (2, 3)]
    assert "One wheel.<del>¶</del></p>" in joined
    assert '<p class="inserted"><ins>More.</ins></p>' in added


async def test_differences_are_written_outside_of_the_event_loop(
    public: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await newsroom(public)
    threads = set()

    def noticed(write: Any) -> Any:
        def run(*arguments: Any) -> Any:
            threads.add(threading.current_thread())
            return write(*arguments)

        return run

    for name in ("inline_html", "sides_html"):
        monkeypatch.setattr(html_pages, name, noticed(getattr(html_pages, name)))
        page = await public.http.get("/articles/the-tide-mill/history/3", params={"view": "side-by-side"})
        assert "<ins>" in page.text
        assert "<ins>" in (await public.http.get("/articles/the-tide-mill/history/3")).text
    assert threads
    assert threading.main_thread() not in threads


async def test_an_article_with_many_corrections_does_not_read_all_of_them_for_each(
    public: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await public.write("Live", body="0", publish=True)
    reads = 0
    of_post = correction_queries.of_post

    def counted(snapshot: Snapshot, post_id: str) -> Any:
        nonlocal reads
        reads += 1
        return of_post(snapshot, post_id)

    monkeypatch.setattr(correction_queries, "of_post", counted)
    for number in range(1, 9):
        note = {"note": f"Note {number}", "kind": "UPDATE"}
        await public.do("postEdit", id=post["id"], body=str(number), publish=True, withCorrection=note)
    for path in ("/articles/live", "/corrections"):
        reads = 0
        page = await public.http.get(path)
        assert page.text.count("See the change") >= 8
        assert reads < 8, path


@pytest.mark.parametrize("rest", ["", "/1", "/1/proof"])
async def test_a_former_slug_leads_to_the_history(public: Client, rest: str) -> None:
    post = await public.write("History", body="One.", publish=True)
    await public.do("postEdit", id=post["id"], slug="annals", publish=True)
    page = await public.http.get(f"/articles/history/history{rest}?view=inline")
    assert page.status_code == 301
    assert page.headers["location"] == f"/articles/annals/history{rest}?view=inline"
    assert (await public.http.get(f"/articles/annals/history{rest}")).status_code == 200
    other = await public.http.get(f"/Articles/annals//History{rest}")
    assert other.headers["location"] == f"/articles/annals/history{rest}"


@pytest.mark.parametrize(
    "rest",
    [
        "/0",
        "/4",
        "/x",
        "/1?from=9",
        "/1?from=-1",
        "/2?from=0",
        "/3?from=00",
        "?before=x",
        "/1/proof?size=x",
        "/9999999999999999999",
    ],
)
async def test_a_revision_that_does_not_exist_is_not_found(public: Client, rest: str) -> None:
    await newsroom(public)
    assert (await public.http.get(f"/articles/the-tide-mill/history{rest}")).status_code == 404


async def test_what_is_not_public_has_no_history(public: Client) -> None:
    mill = await newsroom(public)
    draft = await public.write("A draft", body="Not yet.")
    paths = ("/history", "/history/1", "/history/1/proof")
    pages = [await public.http.get(f"/articles/{draft['slug']}{path}") for path in paths]
    assert {page.status_code for page in pages} == {404}
    await public.do("postUnpublish", id=mill["id"])
    hidden = [await public.http.get(f"/articles/the-tide-mill{path}") for path in paths]
    assert [page.status_code for page in hidden] == [404] * 3
    assert "three wheels" not in "".join(page.text for page in hidden)


async def test_a_closed_history_is_explained_and_reveals_nothing(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await newsroom(api)
        assert "/history" not in (await api.http.get("/articles/the-tide-mill")).text
        for path in ("/history", "/history/2", "/history/2/proof"):
            existing, missing = [
                await api.http.get(f"/articles/{slug}{path}") for slug in ("the-tide-mill", "nothing")
            ]
            assert existing.status_code == missing.status_code == 403
            assert "The histories of articles are not public here" in existing.text
            assert existing.text == missing.text


async def test_a_page_is_revalidated_and_does_not_outlive_what_it_shows(public: Client) -> None:
    mill = await newsroom(public)
    paths = [
        f"/articles/the-tide-mill/history{rest}" for rest in ("", "/2", "/2?view=side-by-side", "/2/proof")
    ]
    tags = {}
    for path in paths:
        page = await public.http.get(path)
        assert page.headers["Cache-Control"] == "no-cache"
        tags[path] = page.headers["ETag"]
        again = await public.http.get(path, headers={"If-None-Match": tags[path]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tags[path]
        assert (await public.http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    await public.do("postUnpublish", id=mill["id"])
    for path in paths:
        page = await public.http.get(path, headers={"If-None-Match": tags[path]})
        assert page.status_code == 404
        assert "ETag" not in page.headers


async def test_a_long_history_has_pages(public: Client) -> None:
    post = await public.write("Long", body="0", publish=True)
    for number in range(1, 60):
        await public.do("postEdit", id=post["id"], body=str(number), publish=True)
    numbers: list[int] = []
    path = "/articles/long/history"
    query: str | None = ""
    while query is not None:
        page = await public.http.get(path + query)
        numbers += [int(number) for number in re.findall(r'<li value="(\d+)"', page.text)]
        match = re.search(r'rel="next" href="([^"]*)"', page.text)
        query = unescape(match[1]) if match else None
    assert numbers == list(range(60, 0, -1))


async def test_graphql_has_the_same_revisions(public: Client) -> None:
    await newsroom(public)
    with public.acting_as(ANONYMOUS):
        data = await public.ask(REVISIONS, slug="the-tide-mill")
    revisions = data["article"]["revisions"]
    assert revisions["totalCount"] == 3
    assert [(node["number"], node["kind"], node["title"]) for node in revisions["nodes"]] == [
        (3, "EDITED", "The mill"),
        (2, "CORRECTED", "The tide mill"),
        (1, "FIRST", "The tide mill"),
    ]
    _, second, first = revisions["nodes"]
    assert second["corrections"] == [
        {"kind": "CORRECTION", "note": "It has three wheels, not two.", "passage": "three wheels"}
    ]
    spans = second["diff"]["body"]["spans"]
    assert [span["text"] for span in spans if span["kind"] == "DELETE"] == ["two"]
    assert first["diff"] is None
    assert not any(secret in json.dumps(data, ensure_ascii=False) for secret in SECRETS)

    proof = (await public.http.get("/articles/the-tide-mill/history/2/proof")).json()
    assert {name: proof[name] for name in ("publication", "leafHash", "root", "path")} == {
        name: second["proof"][name] for name in ("publication", "leafHash", "root", "path")
    }


async def test_graphql_denies_a_closed_history_except_to_those_who_may_read_the_history(
    tmp_path: Path,
) -> None:
    async with client(tmp_path) as api:
        await newsroom(api)
        for query in (
            REVISIONS,
            "query ($slug: String!) { article(slug: $slug) { revision(number: 1) { title } } }",
        ):
            assert "errors" not in (await api.post(query, slug="the-tide-mill")).json()
            with api.acting_as(ANONYMOUS):
                (error, *_) = await api.errors(query, slug="the-tide-mill")
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
            assert "history:read" in error["message"]


async def test_graphql_rejects_revisions_and_sizes_that_do_not_exist(public: Client) -> None:
    await newsroom(public)
    for field, message in (
        ("diff(from: 7) { to }", "No published revision 7; they run from 1 to 3."),
        ("diff(from: 0) { to }", "No published revision 0; they run from 1 to 3."),
        ("proof(size: 1) { root }", "size must be between"),
    ):
        query = f'{{ article(slug: "the-tide-mill") {{ revision(number: 2) {{ {field} }} }} }}'
        (error,) = await public.errors(query)
        assert message in error["message"]


async def test_a_past_article_has_the_revisions_of_then(public: Client) -> None:
    mill = await newsroom(public)
    query = 'query ($p: Position!) { article(slug: "the-tide-mill", asOf: {position: $p}) { revisions { totalCount } } }'
    position = (await public.do("postEdit", id=mill["id"], body="Four.", publish=True))["position"]
    then = await public.ask(query, p=int(position) - 2)
    assert then["article"]["revisions"]["totalCount"] == 3


async def test_a_withdrawn_text_is_gone_and_its_revision_states_that(public: Client, tmp_path: Path) -> None:
    post = await public.write("Withdrawn", body="First.", publish=True)
    edited = await public.do("postEdit", id=post["id"], body="A private number.", publish=True)
    await public.do("postEdit", id=post["id"], body="Third.", publish=True)
    path = "/articles/withdrawn/history"
    before = {rest: await public.http.get(path + rest) for rest in ("/2", "/3", "/2/proof")}
    assert "<del>A private number" in diff_of(before["/3"])

    position = int(edited["position"]) - 1  # the edit; its publication comes after it
    await withdraw_from(public.store, tmp_path / "public", position, "A court's order.")
    for rest in ("/2", "/3"):
        tag = before[rest].headers["ETag"]
        page = await public.http.get(path + rest, headers={"If-None-Match": tag})
        assert page.status_code == 200
        assert "private" not in page.text
        assert "court" not in page.text
    assert "A part of the text of this version was erased" in (await public.http.get(f"{path}/2")).text
    assert "was erased" not in (await public.http.get(f"{path}/3")).text  # it has a text of its own
    await public.do("postEdit", id=post["id"], body="Fourth.", publish=True)
    assert "was erased" not in (await public.http.get(f"{path}/4")).text
    proof = (await public.http.get(f"{path}/2/proof")).json()
    assert proof["leafHash"] == before["/2/proof"].json()["leafHash"]
    assert verified(proof) == proof["root"]


async def test_a_withdrawal_does_not_put_a_draft_into_a_published_revision(
    public: Client, tmp_path: Path
) -> None:
    post = await public.write("First title", body="First.", publish=True)
    await public.do("postEdit", id=post["id"], title="Draft title", body="Draft body.")
    edited = await public.do(
        "postEdit", id=post["id"], title="Second title", body="Second body.", publish=True
    )
    await public.do("postEdit", id=post["id"], title="Third title", body="Third body.", publish=True)
    await withdraw_from(public.store, tmp_path / "public", int(edited["position"]) - 1, "A court's order.")
    for rest in ("", "/2", "/3", "/3?from=1"):
        page = await public.http.get(f"/articles/first-title/history{rest}")
        assert page.status_code == 200
        assert "Draft" not in page.text, rest
        assert "Second" not in page.text, rest
    data = await public.ask(REVISIONS, slug="first-title")
    assert "Draft" not in json.dumps(data)
    _, second, first = data["article"]["revisions"]["nodes"]
    assert (second["title"], second["isIncomplete"]) == ("First title", True)
    assert second["body"] == {"markdown": "First."}
    assert (first["title"], first["isIncomplete"]) == ("First title", False)


async def test_a_proof_has_no_header_and_fits_a_stored_tree_head(public: Client) -> None:
    await newsroom(public)
    with public.store.snapshot() as snapshot:
        stored = tree_head(snapshot, public.store.log.publication)
    await public.write("Later", body="Later.", publish=True)
    path = "/articles/the-tide-mill/history/2/proof"
    proofs = [(await public.http.get(path + query)).json() for query in ("", f"?size={stored.size}")]
    for proof in proofs:
        assert set(proof) == {
            "v", "publication", "article", "revision", "position", "leafHash", "size", "root", "path",
        }  # fmt: skip
        assert verified(proof) == proof["root"]
    assert (proofs[1]["size"], proofs[1]["root"]) == (stored.size, stored.root)
    assert (await public.http.get(f"{path}?size=1")).status_code == 400
    assert (await public.http.get(f"{path}?size=100000")).status_code == 400


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script that checks a proof, as a reader does: with no other module than Python's own."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_the_script_checks_a_proof_offline(public: Client, tmp_path: Path) -> None:
    await newsroom(public)
    proof = (await public.http.get("/articles/the-tide-mill/history/2/proof")).json()
    with public.store.snapshot() as snapshot:
        head = tree_head(snapshot, public.store.log.publication)
    file, stored = tmp_path / "proof.json", tmp_path / "head.json"
    file.write_text(json.dumps(proof))
    stored.write_bytes(msgspec.json.encode(head))
    for arguments in ((file,), (file, "--head", stored)):
        result = check(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert f"position {proof['position']}" in result.stdout
    assert "Compare this root with a tree head" in check(file).stdout

    wrong: list[dict[str, Any]] = [
        {"leafHash": "00" * 32},
        {"path": proof["path"][1:]},
        {"path": [*proof["path"], "11" * 32]},
        {"position": proof["position"] + 1},
        {"position": proof["size"] + 1},
        {"root": "22" * 32},
        {"size": "many"},
        {"v": 2},
    ]
    for change in wrong:
        file.write_text(json.dumps(proof | change))
        result = check(file)
        assert (result.returncode, result.stdout) == (1, ""), change
        assert result.stderr.startswith("check_proof: "), change
    file.write_text(json.dumps(proof))
    for field, value in (("root", "33" * 32), ("publication", "another"), ("size", proof["size"] + 1)):
        stored.write_text(json.dumps({**msgspec.to_builtins(head), field: value}))
        assert check(file, "--head", stored).returncode == 1
    for text in ("no JSON", "[" * 100_000):
        file.write_text(text)
        assert check(file).returncode == 1
        assert check(file).stderr.startswith("check_proof: ")
    assert check(tmp_path / "missing.json").returncode == 1


def verified(proof: dict[str, Any]) -> str:
    """Return the root that follows from a proof, by the recursive definition of RFC 9162, section 2.1.1."""

    def climb(leaf: int, size: int, path: list[str]) -> bytes:
        if size == 1:
            assert path == []
            return bytes.fromhex(proof["leafHash"])
        split = 1 << (size - 1).bit_length() - 1
        *inner, sibling = path
        if leaf < split:
            left, right = climb(leaf, split, inner), bytes.fromhex(sibling)
        else:
            left, right = bytes.fromhex(sibling), climb(leaf - split, size - split, inner)
        return hashlib.sha256(b"\x01" + left + right).digest()

    return climb(proof["position"] - 1, proof["size"], proof["path"]).hex()
