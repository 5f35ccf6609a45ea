"""The features that LedgerPress ships fulfil the contract for third-party features."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type

from ledgerpress.commands.confirm_and_correct_clock import ConfirmClock, CorrectClock
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories.commands import (
    CreateCategory,
    DeleteCategory,
    DescribeCategory,
    MergeCategory,
    MoveCategory,
    RenameCategory,
)
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.unmerge_command import UnmergeCategory
from ledgerpress.features.posts.correction_commands import (
    AddCorrection,
    EditWithCorrection,
    PublishWithCorrection,
)
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.create_edit_categorize_commands import (
    CategorizePost,
    CreatePost,
    EditPost,
    UncategorizePost,
)
from ledgerpress.features.posts.lifecycle_commands import (
    ArchivePost,
    PublishPost,
    UnarchivePost,
    UnpublishPost,
)
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.features.registry import FIRST_PARTY, graphql_schema
from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
from ledgerpress.features.site_pages.menu_model import MenuPlace
from ledgerpress.features.site_pages.page_commands import CreatePage, EditPage, PublishPage, UnpublishPage
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken
from ledgerpress.testing import Check, FeatureContract, StoreClient
from tests.integration.schema_walk import ARGUMENTS

EVENTS: Final = Path(__file__).parents[2] / "schema" / "events"
TOWN: Final = CategoryRef(slug="town")
NIGHT: Final = CategoryRef(slug="night")


async def scenario(client: StoreClient) -> dict[str, str]:
    await client.command(NameSite(name="The Flood"))
    await client.command(LocalizeSite(language="pt-BR", time_zone="America/Sao_Paulo"))
    desk = await client.create(RegisterActor(name="Night desk"))
    await client.command(RenameActor(actor_id=desk, name="Late desk"))
    token = await client.create(CreateToken(name="Feed", role=Role.READER, secret_hash="00" * 32))
    await client.command(
        CreateToken(
            name="Desk",
            role=Role.EDITOR,
            scopes=("site:write",),
            expires_at=client.now + 86_400_000_000,
            secret_hash="11" * 32,
        )
    )
    await client.command(RevokeToken(token_id=token))
    author = await client.create(RegisterAuthor(name="Ada Brook"))
    town = await client.create(CreateCategory(name="Town", description="Streets and squares."))
    await client.command(CreateCategory(name="Town", slug="town"), rejected="SLUG_TAKEN")
    await client.command(CreateCategory(name="Night", parent=TOWN))
    tide = await client.create(
        CreatePost(
            title="Tide mill", body="# Wheels\n\nTwo of them.", author_ids=(author,), categories=(NIGHT,)
        )
    )
    await client.command(PublishPost(post_id=tide))
    ebb = await client.create(CreatePost(title="Ebb", body="Low.", teaser="Lower.", categories=(TOWN,)))
    await client.command(
        EditPost(
            post_id=tide, title="Tide mill turns", teaser="It turns.", body="# Wheels\n\nThree.", slug="mill"
        ),
        reason="The third wheel was found.",
    )
    await client.command(PublishPost(post_id=tide, correction="It has three wheels."))
    await client.command(PublishPost(post_id=ebb))
    await client.command(ConfirmClock(last_recorded_time=client.now))
    await client.command(
        CorrectClock(first_position=5, last_position=9, shift=-60_000_000), reason="It was ahead."
    )
    await client.command(CategorizePost(post_id=ebb, category=NIGHT))
    await client.command(UncategorizePost(post_id=ebb, category=TOWN))
    await client.command(RenameAuthor(author_id=author, name="Ada Brook-Lind", slug="ada"))
    await client.command(RenameCategory(category=NIGHT, name="Late"))
    await client.command(DescribeCategory(category=TOWN, description="All of it."))
    await client.command(MoveCategory(category=NIGHT, parent=None))
    await client.command(UnpublishPost(post_id=ebb))
    await client.command(ArchivePost(post_id=ebb))
    await client.command(PublishPost(post_id=ebb), rejected="POST_ARCHIVED")
    await client.command(UnarchivePost(post_id=ebb))
    await client.command(RevertPost(post_id=tide, version=4))
    await client.command(RestorePost(post_id=tide, to_version=4))
    await client.command(PublishPost(post_id=ebb))
    await client.command(MergeCategory(category=NIGHT, into=TOWN))
    await client.command(UnmergeCategory(category=NIGHT))
    await client.command(MergeCategory(category=NIGHT, into=TOWN))
    await client.command(CreateCategory(name="Weather"))
    await client.command(DeleteCategory(category=CategoryRef(slug="weather")))
    correction, unclear = [await _corrected(client, tide, note) for note in ("Only two turn.", "One is new.")]
    await client.mutate(
        "correctionReword",
        {"id": client.global_id("Post", tide), "correction": correction, "note": "Two turn, one stands."},
    )
    await client.command(
        AddCorrection(
            post_id=tide,
            correction=NewCorrection(note="It is a mill.", kind=CorrectionKind.UPDATE, passage="Tide mill"),
        ),
        reason="A reader wrote.",
    )
    await client.mutate("correctionRetract", {"id": client.global_id("Post", tide), "correction": unclear})
    await client.command(
        PublishWithCorrection(post_id=tide, with_correction=NewCorrection(note="It is old.")),
    )
    await client.command(
        EditWithCorrection(
            post_id=tide, body="# Wheels\n\nFour.", publish=True, with_correction=NewCorrection(note="Four.")
        ),
    )
    draft = await client.create(CreatePost(title="Drafted"))
    await client.command(
        AddCorrection(post_id=draft, correction=NewCorrection(note="No.")), rejected="POST_NOT_PUBLISHED"
    )
    page, plans = await _site_pages(client)
    return {
        "article": client.global_id("Article", tide),
        "page": client.global_id("Page", page),
        "pageDraft": client.global_id("PageDraft", plans),
        "author": client.global_id("Author", author),
        "category": client.global_id("Category", town),
        "correction": correction,
        "post": client.global_id("Post", tide),
    }


async def _site_pages(client: StoreClient) -> tuple[str, str]:
    """Describe the site, write pages and set the menu; return the ids of a public page and of a draft."""
    await client.command(
        DescribeSite(description="News.", logo=Logo(url="/logo.svg", text="A mill"), address="1 Mill Lane")
    )
    page = await client.create(CreatePage(title="About", body="# We\n\nPrint.", publish=True))
    await client.command(EditPage(page_id=page, title="About us", slug="about-us"))
    await client.command(PublishPage(page_id=page))
    await client.command(EditPage(page_id=page, body="# We\n\nPrint less."))
    await client.command(CreatePage(title="Other", slug="about-us"), rejected="SLUG_TAKEN")
    former = await client.create(CreatePage(title="Former", publish=True))
    await client.command(UnpublishPage(page_id=former))
    plans = await client.create(CreatePage(title="Plans"))
    await client.command(
        ArrangeMenu(
            items=(
                NewMenuItem(label="About", page=PageRef(id=page)),
                NewMenuItem(label="Plans", page=PageRef(slug="plans"), place=MenuPlace.FOOTER),
                NewMenuItem(label="Town", category=TOWN),
                NewMenuItem(label="Feed", address="/feeds/articles.atom"),
            )
        )
    )
    return page, plans


async def _corrected(client: StoreClient, post_id: str, note: str) -> str:
    """Add a correction, and return its global id."""
    input = {"id": client.global_id("Post", post_id), "kind": "CLARIFICATION", "note": note}
    payload = await client.mutate("correctionAdd", input, "correction { id }")
    correction_id: str = payload["correction"]["id"]
    return correction_id


def fields(schema: GraphQLSchema, name: str, depth: int) -> str:
    """Return a selection of all fields of an object type, and of the objects up to `depth` fields away."""
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return f"{{ __typename {' '.join(_fields(schema, type_, depth))} }}"


def _fields(schema: GraphQLSchema, type_: GraphQLObjectType, depth: int) -> Iterator[str]:
    for name, field in type_.fields.items():
        target = get_named_type(field.type)
        alias = f"{type_.name}_{name}: {name}{ARGUMENTS.get(f'{type_.name}.{name}', '')}"
        if is_leaf_type(target):
            yield alias
        elif depth and isinstance(target, GraphQLObjectType):
            yield f"{alias} {fields(schema, target.name, depth - 1)}"
        else:
            yield f"{alias} {{ __typename }}"


def queries() -> list[str]:
    schema = graphql_schema()._schema
    roots = {
        "query ($article: ID!) { article(id: $article)": ("Article", 1),
        '{ article(slug: "tide-mill")': ("Article", 0),
        "query ($correction: ID!) { node(id: $correction) { ... on Correction": ("Correction", 0),
        "query ($author: ID!) { author(id: $author)": ("Author", 1),
        '{ author(slug: "ada")': ("Author", 0),
        "query ($category: ID!) { category(id: $category)": ("Category", 1),
        '{ category(slug: "night")': ("Category", 0),
        "query ($post: ID!) { post(id: $post)": ("Post", 2),
        '{ post(slug: "ebb")': ("Post", 1),
        "query ($post: ID!) { post(id: $post) { diff(from: 0, to: 4)": ("PostDiff", 2),
        "query ($post: ID!) { post(id: $post) { diff(from: 4, to: 0)": ("PostDiff", 2),
        "query ($post: ID!) { post(id: $post) { blame": ("BlameSpan", 1),
        "{ articles(first: 5)": ("ArticleConnection", 1),
        "{ recentPosts(first: 2)": ("ArticleConnection", 1),
        "{ authors": ("AuthorConnection", 1),
        "{ categories": ("CategoryConnection", 1),
        "{ posts(first: 5)": ("PostConnection", 1),
        "query ($article: ID!) { article(id: $article) { revisions": ("ArticleRevisionConnection", 2),
        "query ($article: ID!) { article(id: $article) { revision(number: 2)": ("ArticleRevision", 2),
        "query ($article: ID!) { article(id: $article) { revision(number: 4) { diff(from: 1)": (
            "ArticleRevisionDiff",
            2,
        ),
        "{ corrections": ("CorrectionEntryConnection", 2),
        "{ frontPageComparison(from: {position: 10})": ("FrontPageComparison", 2),
        "{ frontPageComparison(from: {position: 34})": ("FrontPageComparison", 2),
        "{ frontPageComparison(from: {position: 34}, to: {position: 1})": ("FrontPageComparison", 2),
        "{ frontPageComparison(from: {position: 34}, to: {position: 35})": ("FrontPageComparison", 2),
        "{ site": ("Site", 1),
        "query ($page: ID!) { page(id: $page)": ("Page", 1),
        '{ page(slug: "about")': ("Page", 0),
        "query ($pageDraft: ID!) { pageDraft(id: $pageDraft)": ("PageDraft", 1),
        '{ pageDraft(slug: "about-us")': ("PageDraft", 2),
        "{ pages": ("PageConnection", 1),
        "{ pageDrafts": ("PageDraftConnection", 1),
        "{ menu": ("Menu", 2),
        "{ changes(first: 100)": ("ChangeConnection", 2),
        "{ tokens": ("ApiTokenConnection", 2),
        "{ viewer": ("Viewer", 1),
    }
    return [
        f"{root} {fields(schema, name, depth)} {'}' * (root.count('{') - root.count('}'))}"
        for root, (name, depth) in roots.items()
    ]


CONTRACT: Final = FeatureContract(
    *FIRST_PARTY,
    scenario=scenario,
    queries=queries(),
    samples={
        (name, version): json.loads((EVENTS / f"{name}.v{version}.golden.json").read_bytes())["data"]
        for feature in FIRST_PARTY
        for name, newest, *_ in feature.events
        for version in range(1, newest)
    },
    pages=[
        "/",
        "/articles/mill",
        "/articles/tide-mill",
        "/categories/town",
        "/categories/night",
        "/authors/ada-brook",
        "/authors/ada",
        "/pages/about-us",
        "/pages/about",
        "/pages/former",
        "/pages/plans",
        "/nothing",
        "/feeds/articles.atom",
        "/feeds/categories/town.json",
        "/feeds/authors/ada.atom",
        "/feeds/corrections.atom",
        "/sitemap-articles-1.xml",
        "/articles/mill/history",
        "/articles/mill/history/2",
        "/articles/mill/history/2/proof",
        "/articles/mill/history/2/check",
        "/check_proof.py",
        "/corrections",
        "/compare",
    ],
    unreached=[
        "ArticleChanged.article",
        "ArticleChanged.change",
        "ArticleChanged.position",
        "BulkPayload.results",
        "BulkPayload.userErrors",
        "Change.onBehalfOf",
        "FrontPageComparison.moved",  # no date changes; see test_front_page_comparison
    ],
)


IN_EACH_RUN: Final = {"declarations", "coverage", "stored-versions", "permissions"}
"""Checks that every run makes. tests/property covers what the other checks cover, with generated commands."""
CHECKS: Final = [
    check
    for check in CONTRACT.checks
    if check.name in IN_EACH_RUN or os.environ.get("LEDGERPRESS_TEST_CONTRACT") == "all"
]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_contract(check: Check, tmp_path: Path) -> None:
    check.run(tmp_path)
