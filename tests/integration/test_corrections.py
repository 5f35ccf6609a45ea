"""Corrections over GraphQL: of published revisions, with kinds and passages; reworded, retracted, and in the past."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.posts import article_queries
from tests.integration.graphql_client import Client, client

NOTES: Final = "kind note passage at rewordedAt retractedAt appliesToArticle revision"
CORRECTION: Final = f"correction {{ id {NOTES} }} post {{ version corrections {{ id note retractedAt }} }}"


async def published(api: Client, *bodies: str) -> dict[str, Any]:
    """Create a post that is published with each body in turn, as revision 1, 2 and so on."""
    post = await api.write("Ferry", body=bodies[0], publish=True)
    for body in bodies[1:]:
        await done(api, "postEdit", id=post["id"], body=body, publish=True)
    return post


async def done(api: Client, mutation: str, fields: str = "", **input: Any) -> dict[str, Any]:
    payload = await api.do(mutation, fields, **input)
    assert payload["userErrors"] == []
    return payload


async def rejected(api: Client, mutation: str, **input: Any) -> tuple[str, list[str], str]:
    """Run a mutation that must be rejected and record nothing. Return the code, the field and the message."""
    before = await api.store.log.head()
    payload = await api.do(mutation, **input)
    assert await api.store.log.head() == before
    assert payload["position"] is None
    (error,) = payload["userErrors"]
    return error["code"], error["field"], error["message"]


async def notes(api: Client, slug: str = "ferry", **as_of: Any) -> list[dict[str, Any]]:
    query = f"query ($slug: String, $at: AsOf) {{ article(slug: $slug, asOf: $at) {{ corrections {{ id {NOTES} }} }} }}"
    article = (await api.ask(query, slug=slug, at=as_of or None))["article"]
    corrections: list[dict[str, Any]] = article["corrections"]
    return corrections


async def changes(api: Client) -> list[dict[str, Any]]:
    query = """{ post(slug: "ferry") { history(orderBy: OLDEST) {
        nodes { version type reason changedFields before after actor { name } } } } }"""
    nodes: list[dict[str, Any]] = (await api.ask(query))["post"]["history"]["nodes"]
    return [node for node in nodes if node["type"].startswith("correction.")]


async def test_a_correction_has_a_kind_a_note_and_a_passage(api: Client) -> None:
    post = await published(api, "It leaves at 17:00.", "It leaves at **18:00**.")
    payload = await done(
        api, "correctionAdd", CORRECTION,
        id=post["id"], kind="CLARIFICATION", note="At 18:00 in summer.", passage="leaves at 18:00", expectedVersion=4,
    )  # fmt: skip
    (correction,) = await notes(api)
    assert correction == payload["correction"]
    expected = {
        "kind": "CLARIFICATION", "note": "At 18:00 in summer.", "passage": "leaves at 18:00", "revision": 2,
        "rewordedAt": None, "retractedAt": None, "appliesToArticle": True,
    }  # fmt: skip
    assert {name: correction[name] for name in expected} == expected
    assert payload["post"]["version"] == 5
    node = "query ($id: ID!) { node(id: $id) { ... on Correction { note } } }"
    assert await api.ask(node, id=correction["id"]) == {"node": {"note": "At 18:00 in summer."}}


async def test_a_post_that_was_never_public_has_no_corrections(api: Client) -> None:
    draft = await api.write("Ferry")
    expected = ("POST_NOT_PUBLISHED", ["input", "id"])
    assert (await rejected(api, "correctionAdd", id=draft["id"], note="Wrong."))[:2] == expected
    for field, value in {"correction": "Wrong.", "withCorrection": {"note": "Wrong."}}.items():
        code, path, message = await rejected(api, "postPublish", id=draft["id"], **{field: value})
        assert (code, path) == ("POST_NOT_PUBLISHED", ["input", field])
        assert message.startswith("The post has never been published")
    await done(api, "postArchive", id=draft["id"])
    assert (await rejected(api, "correctionAdd", id=draft["id"], note="Wrong."))[0] == "POST_ARCHIVED"


async def test_a_revision_that_was_never_published_has_no_corrections(api: Client) -> None:
    post = await published(api, "One.", "Two.")
    await done(api, "postEdit", id=post["id"], body="Three.")
    for revision in (3, 4, 0, -1):
        code, field, message = await rejected(
            api, "correctionAdd", id=post["id"], note="Wrong.", revision=revision
        )
        assert (code, field) == ("REVISION_NOT_PUBLISHED", ["input", "revision"])
        assert message == f"Revision {revision} was never published. Published revisions: 1, 2."
    await done(api, "correctionAdd", id=post["id"], note="Of the first.", revision=1)
    await done(api, "correctionAdd", id=post["id"], note="Of the live one.")
    assert [(note["note"], note["revision"]) for note in await notes(api)] == [
        ("Of the first.", 1),
        ("Of the live one.", 2),
    ]


@pytest.mark.parametrize("mutation", ["postPublish", "postEdit"])
async def test_a_publication_and_its_correction_are_recorded_together(api: Client, mutation: str) -> None:
    post = await published(api, "At five.")
    if mutation == "postPublish":
        await done(api, "postEdit", id=post["id"], body="At six.")
        change: dict[str, Any] = {}
    else:
        change = {"body": "At six.", "publish": True}
    correction = {"kind": "UPDATE", "note": "It changed.", "passage": "At five"}
    await done(api, mutation, id=post["id"], withCorrection=correction, **change)
    head = await api.store.log.head()
    assert await notes(api, position=head - 1) == []
    (note,) = await notes(api)
    assert (note["kind"], note["revision"], note["passage"]) == ("UPDATE", 2, "At five")


async def test_a_correction_with_a_publication_that_changes_nothing_is_recorded_alone(api: Client) -> None:
    post = await published(api, "At five.")
    head = await api.store.log.head()
    await done(api, "postPublish", id=post["id"], withCorrection={"note": "It is five indeed."})
    assert await api.store.log.head() == head + 1
    assert [note["revision"] for note in await notes(api)] == [1]


async def test_invalid_corrections_are_rejected(api: Client) -> None:
    post = await published(api, "One *two* three.", "Four.", "Five.")
    other = (await api.write("Other", publish=True))["id"]
    correction = (await done(api, "correctionAdd", CORRECTION, id=post["id"], note="Four."))["correction"][
        "id"
    ]

    async def code(mutation: str, **input: Any) -> tuple[str, list[str]]:
        return (await rejected(api, mutation, **input))[:2]

    assert await code("correctionAdd", id=post["id"], note=" ") == ("BLANK", ["input", "note"])
    assert await code("correctionAdd", id=post["id"], note="x" * 1_001) == ("TOO_LONG", ["input", "note"])
    nowhere = ("PASSAGE_NOT_FOUND", ["input", "passage"])
    assert await code("correctionAdd", id=post["id"], note="A.", passage="One two three") == nowhere
    assert await code("correctionAdd", id=post["id"], note="A.", passage="Five", revision=2) == nowhere
    assert await code("correctionReword", id=post["id"], correction=correction, passage="Six") == nowhere
    assert await code("postPublish", id=post["id"], correction="A.", withCorrection={"note": "A."}) == (
        "INVALID_VALUE",
        ["input", "withCorrection"],
    )
    assert await code("postEdit", id=post["id"], body="No.", withCorrection={"note": "A."}) == (
        "INVALID_VALUE",
        ["input", "withCorrection"],
    )
    assert await code("postPublish", id=post["id"], withCorrection={"note": ""}) == (
        "BLANK",
        ["input", "withCorrection", "note"],
    )
    assert await code("correctionReword", id=other, correction=correction, note="A.") == (
        "NOT_FOUND",
        ["input", "correction"],
    )
    assert await code("correctionReword", id=post["id"], correction=post["id"], note="A.") == (
        "INVALID_ID",
        ["input", "correction"],
    )
    assert await code("correctionReword", id=post["id"], correction=correction, note=None) == (
        "INVALID_VALUE",
        ["input", "note"],
    )
    assert (await code("correctionAdd", id=post["id"], note="A.", expectedVersion=1))[0] == "VERSION_CONFLICT"
    (past,) = await notes(api, position=await api.store.log.head())
    assert past["id"] != correction
    assert (await code("correctionRetract", id=post["id"], correction=past["id"]))[0] == "INVALID_ID"


async def test_a_correction_is_reworded_with_history(api: Client) -> None:
    post = await published(api, "At five.", "At six.")
    added = await done(
        api, "correctionAdd", CORRECTION, id=post["id"], note="It was six.", passage="At six", reason="A reader wrote."
    )  # fmt: skip
    correction = added["correction"]["id"]
    reworded = await done(
        api, "correctionReword", CORRECTION,
        id=post["id"], correction=correction, note="We wrote five.", kind="CLARIFICATION", passage=None, reason="Clearer.",
    )  # fmt: skip
    (note,) = await notes(api)
    assert note == reworded["correction"]
    assert (note["id"], note["note"], note["kind"], note["passage"]) == (
        correction,
        "We wrote five.",
        "CLARIFICATION",
        None,
    )
    assert note["rewordedAt"] > note["at"]
    (former,) = await notes(api, position=added["position"])
    assert (former["note"], former["rewordedAt"]) == ("It was six.", None)
    refetched = await api.ask(
        f"query ($id: ID!) {{ node(id: $id) {{ ... on Correction {{ id {NOTES} }} }} }}", id=former["id"]
    )
    assert refetched == {"node": former}
    first, second = await changes(api)
    assert (first["type"], first["reason"], first["before"]) == ("correction.recorded", "A reader wrote.", {})
    assert first["after"] == {
        "correction": "It was six.",
        "correctionKind": "CORRECTION",
        "correctionPassage": "At six",
        "correctionRevision": 2,
    }
    assert (second["type"], second["reason"], second["actor"]["name"]) == (
        "correction.reworded",
        "Clearer.",
        "Local operator",
    )
    assert second["before"] == {
        "correction": "It was six.",
        "correctionKind": "CORRECTION",
        "correctionPassage": "At six",
    }
    assert second["after"] == {"correction": "We wrote five.", "correctionKind": "CLARIFICATION"}
    head = await api.store.log.head()
    again = await done(
        api, "correctionReword", CORRECTION, id=post["id"], correction=correction, note=" We wrote five. "
    )
    assert (again["position"], again["correction"]) == (head, note)


async def test_a_retracted_correction_is_shown_to_editors_only(api: Client) -> None:
    post = await published(api, "At five.", "At six.")
    correction = (await done(api, "correctionAdd", CORRECTION, id=post["id"], note="It was six."))[
        "correction"
    ]
    before = await api.store.log.head()
    retracted = await done(
        api,
        "correctionRetract",
        CORRECTION,
        id=post["id"],
        correction=correction["id"],
        reason="It was five.",
    )
    assert retracted["correction"]["retractedAt"] is not None
    assert [each["note"] for each in retracted["post"]["corrections"]] == ["It was six."]
    assert await notes(api) == []
    assert [note["note"] for note in await notes(api, position=before)] == ["It was six."]
    node = "query ($id: ID!) { node(id: $id) { ... on Correction { note retractedAt } } }"
    assert (await api.ask(node, id=correction["id"]))["node"]["note"] == "It was six."
    with api.acting_as(ANONYMOUS):
        assert (await api.ask(node, id=correction["id"]))["node"] is None
        assert await notes(api) == []
    change = (await changes(api))[-1]
    assert (change["type"], change["reason"], change["after"]) == ("correction.retracted", "It was five.", {})
    assert change["before"]["correction"] == "It was six."
    code, field, _ = await rejected(
        api, "correctionReword", id=post["id"], correction=correction["id"], note="No."
    )
    assert (code, field) == ("CORRECTION_RETRACTED", ["input", "correction"])
    head = await api.store.log.head()
    again = await done(api, "correctionRetract", id=post["id"], correction=correction["id"])
    assert again["position"] == head


async def test_readers_of_the_open_past_see_former_wordings_but_nothing_that_was_retracted(
    tmp_path: Path,
) -> None:
    async with client(tmp_path, open_past=True) as api:
        post = await published(api, "At five.", "At six.")
        first, second = [
            (await done(api, "correctionAdd", CORRECTION, id=post["id"], note=note))["correction"]["id"]
            for note in ("One.", "Two.")
        ]
        then = await api.store.log.head()
        await done(api, "correctionReword", id=post["id"], correction=first, note="First.")
        await done(api, "correctionRetract", id=post["id"], correction=second)
        assert [note["note"] for note in await notes(api, position=then)] == ["One."]
        assert [note["note"] for note in await notes(api)] == ["First."]
        assert [note["revision"] for note in await notes(api)] == [None]


async def test_the_short_form_of_a_publication_records_a_correction_that_can_be_changed(api: Client) -> None:
    post = await published(api, "At five.")
    await done(api, "postEdit", id=post["id"], body="At six.")
    await done(api, "postPublish", id=post["id"], correction="It was six.")
    (note,) = await notes(api)
    assert (note["kind"], note["note"], note["passage"], note["revision"]) == (
        "CORRECTION",
        "It was six.",
        None,
        2,
    )
    reworded = await done(
        api, "correctionReword", CORRECTION, id=post["id"], correction=note["id"], note="Six."
    )
    assert (reworded["correction"]["id"], reworded["correction"]["note"]) == (note["id"], "Six.")
    await done(api, "correctionRetract", id=post["id"], correction=note["id"])
    assert await notes(api) == []


async def test_a_correction_is_marked_when_its_text_is_gone(api: Client) -> None:
    post = await published(api, "At five.", "At six. By boat.", "At six. By rail.")
    for passage, note in {None: "Whole.", "At six": "New words.", "By boat": "Replaced words."}.items():
        await done(api, "correctionAdd", id=post["id"], note=note, passage=passage)

    async def applying() -> list[str]:
        return [note["note"] for note in await notes(api) if note["appliesToArticle"]]

    everything = ["Whole.", "New words.", "Replaced words."]
    assert await applying() == everything
    await done(api, "postEdit", id=post["id"], body="At six. By rail, not by road.", publish=True)
    assert await applying() == everything
    await done(api, "postRestore", id=post["id"], toVersion=4)
    assert await applying() == everything
    await done(api, "postPublish", id=post["id"])
    assert await applying() == ["New words."]
    await done(api, "postRestore", id=post["id"], toVersion=1, publish=True)
    assert await applying() == ["Replaced words."]
    await done(api, "postEdit", id=post["id"], body="At six. By rail.", publish=True)
    assert await applying() == everything
    assert [note["revision"] for note in await notes(api)] == [3, 3, 3]


async def test_an_unpublished_post_keeps_its_corrections(api: Client) -> None:
    post = await published(api, "At five.", "At six.")
    await done(api, "postUnpublish", id=post["id"])
    correction = (await done(api, "correctionAdd", CORRECTION, id=post["id"], note="It was six."))[
        "correction"
    ]
    node = "query ($id: ID!) { node(id: $id) { ... on Correction { note } } }"
    assert await api.ask(node, id=correction["id"]) == {"node": {"note": "It was six."}}
    with api.acting_as(ANONYMOUS):
        assert await api.ask(node, id=correction["id"]) == {"node": None}
    await done(api, "postPublish", id=post["id"])
    assert [note["note"] for note in await notes(api)] == ["It was six."]


async def test_a_repeated_command_returns_its_correction(api: Client) -> None:
    post = await published(api, "At five.")
    first = await done(api, "correctionAdd", CORRECTION, id=post["id"], note="One.", idempotencyKey="k")
    await done(api, "correctionAdd", id=post["id"], note="Two.")
    again = await done(api, "correctionAdd", CORRECTION, id=post["id"], note="One.", idempotencyKey="k")
    assert again["replayed"]
    assert again["correction"] == first["correction"]


async def test_an_article_page_shows_kinds_times_and_passages_but_nothing_that_was_retracted(
    api: Client,
) -> None:
    post = await published(api, "It leaves at 17:00.", "It leaves at 18:00 from pier 4.")
    correction = (
        await done(
            api,
            "correctionAdd",
            CORRECTION,
            id=post["id"],
            note="It was 17:00.",
            passage="It leaves at 17:00",
        )
    )["correction"]["id"]
    await done(
        api, "correctionAdd", id=post["id"], kind="CLARIFICATION", note="The old pier.", passage="pier 4"
    )
    await done(api, "correctionAdd", id=post["id"], kind="UPDATE", note="It has left.")

    async def notes_on_page() -> list[str]:
        sections = (await api.http.get("/articles/ferry")).text.split('<section class="corrections">')[1:]
        return [section.partition("</section>")[0] for section in sections]

    first, second, third = await notes_on_page()
    for section, heading, note in (
        (first, "Correction", "It was 17:00."),
        (second, "Clarification", "The old pier."),
        (third, "Update", "It has left."),
    ):
        assert f"<h2>{heading}</h2>" in section
        assert re.search(
            rf'>4 May 2024, \d\d:\d\d UTC</time></p>\s*<p dir="auto">{re.escape(note)}</p>', section
        )
    assert '<blockquote dir="auto">It leaves at 17:00</blockquote>' in first
    assert "blockquote" not in third
    assert "earlier version" not in first + second + third
    await done(api, "correctionRetract", id=post["id"], correction=correction)
    await done(api, "postEdit", id=post["id"], body="It leaves.", publish=True)
    second, third = await notes_on_page()
    assert "This is about an earlier version of the article." in second
    assert "earlier version" not in third


async def test_subscribers_of_an_article_receive_changes_of_its_corrections(api: Client) -> None:
    post = await published(api, "At five.")
    with api.store.snapshot() as snapshot:
        start = snapshot.position
    correction = (await done(api, "correctionAdd", CORRECTION, id=post["id"], note="Five."))["correction"][
        "id"
    ]
    await done(api, "correctionReword", id=post["id"], correction=correction, note="It is five.")
    await done(api, "correctionRetract", id=post["id"], correction=correction)
    with api.store.snapshot() as snapshot:
        positions = []
        while (start := article_queries.next_change(snapshot, "ferry", start) or 0) > 0:
            positions.append(start)
    assert len(positions) == 3
