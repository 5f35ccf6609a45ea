"""Pins the fingerprints of commands and the idempotency keys of page imports: both are stored in logs permanently.

A client that repeats a command after an upgrade gets IDEMPOTENCY_KEY_REUSED if its fingerprint has changed. An import
that is repeated after an upgrade undoes the changes of editors if its keys have changed. Never change a value here.
"""

from collections.abc import Sequence
from typing import Final

import pytest
from msgspec import UNSET

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.confirm_and_correct_clock import ConfirmClock, CorrectClock
from ledgerpress.commands.fingerprint import fingerprint
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
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
from ledgerpress.features.page_import.idempotent_import_commands import author_key, category_key, content_key
from ledgerpress.features.page_import.imported_post_lookup import post_key
from ledgerpress.features.page_import.page_post import DATE_GUESSED, DATE_UNCERTAIN
from ledgerpress.features.posts.correction_commands import (
    AddCorrection,
    EditWithCorrection,
    PublishWithCorrection,
    RetractCorrection,
    RewordCorrection,
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
from ledgerpress.features.posts.permissions import WRITE_POSTS
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
from ledgerpress.features.site_pages.menu_model import MenuPlace
from ledgerpress.features.site_pages.page_commands import CreatePage, EditPage, PublishPage, UnpublishPage
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken
from tests.identities import GRANTED

ID: Final = "00000000-0000-8000-8000-00000000000a"
OTHER_ID: Final = "00000000-0000-8000-8000-00000000000b"
BY_ID: Final = CategoryRef(id=ID)
BY_SLUG: Final = CategoryRef(slug="night")
BARE: Final = CommandRequest()
FULL: Final = CommandRequest(reason="Because: “ßé” 🎈", expected_version=7)

FINGERPRINTS: Final[Sequence[tuple[str, Command, CommandRequest]]] = (
    ("d5cdbd94c449c5fc7707fa82f6aa29caa49dbdbf80893bbe34098426975ad4ee", CreatePost(title="Night"), BARE),
    ("3d7c8021e28cbe774bb78e772bc34ee7c4b63bb56e9134c210f950e9b70059f4", CreatePost(title="Night"), FULL),
    ("8be78cdafb2e085629c80703cc8ad99cca41c579378ff61a3236c03eef7bab6a", CreatePost(title="Night"), CommandRequest(reason="Because")),
    ("30aed9946f207433b8a6da56ca0adc2b20672c2d8eb67d06712d49491a5c5662", CreatePost(title="Night"), CommandRequest(expected_version=0)),
    ("d5cdbd94c449c5fc7707fa82f6aa29caa49dbdbf80893bbe34098426975ad4ee", CreatePost(title="Night", body="", teaser=None, publish=False), BARE),
    (
        "118bd6e61e24e5ee21deb1fce4f0d9a259e1ace4f8caf086aab44637c21def72",
        CreatePost(
            title="रात 🌍",
            body="# A\r\n",
            teaser="",
            slug="night",
            author_ids=(ID, OTHER_ID),
            categories=(BY_ID, BY_SLUG, CategoryRef(id=ID, slug="night"), CategoryRef()),
            publish=True,
            published_at=-86_400_000_000,
        ),
        FULL,
    ),
    ("9602e17beb747d7007f4aff763d318e9cf699f727a3a8a06918ed21c92fcaf75", EditPost(post_id=ID), BARE),
    ("ff151fb18339af3b946edaad93d1bf0aacbb88650cc12f6d48c69a13d221ed7b", EditPost(post_id=ID, title=UNSET, teaser=None), BARE),
    ("a6fb7a1e0204ad1c37ded3f0e092cf8b160343ad8288ab8adaeac108c4729e4b", EditPost(post_id=ID, slug=None), BARE),
    ("1164f13360c52020149e38a67ee8d4213841ea01510912be1bcfde17100e42c3", EditPost(post_id=ID, teaser="", author_ids=()), FULL),
    (
        "56645c7c63dcb17b94d8cf99d65ad0859ae80c595ebfd34951dfc14ace2ec99f",
        EditPost(
            post_id=ID, title="A", teaser="B", body="C", slug="d", author_ids=(OTHER_ID,), publish=True
        ),
        FULL,
    ),
    ("69a03548b04185254f023826a6ef2215b9d5544d0f9adcadcc0a4893dc400a04", CategorizePost(post_id=ID, category=BY_ID), BARE),
    ("ad31dc6c5898b27d69daf4bb94295640080fe84427e043960fe3a45c6b3bd17e", CategorizePost(post_id=ID, category=BY_SLUG), FULL),
    ("4df40b64b4a0cdb19b1331723626f510138638dcf70584f118b2ed9f15370ed2", UncategorizePost(post_id=ID, category=BY_ID), FULL),
    ("0d9939d3a80f59e7c5ad42959fdfe5c00d2c52e1e7caf0e1b4aa06ce7e3616a2", PublishPost(post_id=ID), BARE),
    ("b45e1b41bda7dc6ff5003dbfb4046e581a0b2d45c3b9dbc1413106394eb3ffc3", PublishPost(post_id=ID, published_at=0, correction="Three."), FULL),
    ("5e6be969daaba67db09883939667179f9c0c9b2aa25f4f7b395ab4263caf5745", UnpublishPost(post_id=ID), BARE),
    ("aabdcaa3e64e5bf421ff8f6bc9e2667e825fd04bb3f1627fca303396a1903167", ArchivePost(post_id=ID), BARE),
    ("857e2b66f8af08c718c4c5e3a4710babf1aac8f25e56048804ad80eba7425bb0", UnarchivePost(post_id=ID), BARE),
    ("c0901bcedd317fe7a3660ab4bd2c3c8b53d0d787e00c3fff20ab26355bc1c2d7", RestorePost(post_id=ID, to_version=1), BARE),
    ("5c97380fb5f59a91113dd9a04298e0f694c44e131867449a387dfc58ba3279d3", RestorePost(post_id=ID, to_version=1, publish=True), FULL),
    ("9e65cc2192aa7074c57f643b66053d0eaf706c33fe36738d667035f1db9589fe", RevertPost(post_id=ID, version=2), BARE),
    ("06e80c64f1219fd71ed45b875fb9f8aa83a70661682dc0d2c9551d68ec651dc5", RevertPost(post_id=ID, version=2, publish=True), FULL),
    ("0527707a00c9f845b1bb3b6fd74d49ef5787a64550af2dde132214b296b28851", AddCorrection(post_id=ID, correction=NewCorrection(note="Three.")), BARE),
    ("5def9c395e27196ca60505009969ac5a4d5e9e46bb41de88d4346f6646c77012", AddCorrection(post_id=ID, correction=NewCorrection(note="Three.", kind=CorrectionKind.UPDATE, passage="two"), revision=2), FULL),
    ("9a58608fdd110b7abcb407d13974202c8af7000054b56744032c935a541b256c", RewordCorrection(post_id=ID, correction_id=ID, note="Three."), BARE),
    ("fc50098167a164694d3e485901fc834e1bf850c67ce857df0b485baffc5cb049", RewordCorrection(post_id=ID, correction_id=ID, kind=CorrectionKind.UPDATE, note="Three.", passage=None), FULL),
    ("aa2884052828253745f6739df8ebe5ecb9f2ac56880beff017c518917883cf74", RetractCorrection(post_id=ID, correction_id=ID), BARE),
    ("1a2db8bdbda0dad9dc45246973fb0eee63661d41702318851a7d71095c5f0bb0", PublishWithCorrection(post_id=ID, with_correction=NewCorrection(note="Three.")), BARE),
    ("6b8db5e1303e3a63caaed986444e950756c0b43e0a35d00dcd3eb54fd4a7999f", PublishWithCorrection(post_id=ID, published_at=0, with_correction=NewCorrection(note="Three.", kind=CorrectionKind.UPDATE, passage="two")), FULL),
    ("cc6c7b752ad1aaf062c20017ae4dca9df1a0dd4354849591ec690a15e8efcefa", EditWithCorrection(post_id=ID, body="Three.", publish=True, with_correction=NewCorrection(note="Three.", kind=CorrectionKind.UPDATE, passage="two")), FULL),
    ("c5703a732f0f209504ff3dac1aa40f638800bd09d8dee2c74fbec9226f13a5e0", CreateCategory(name="Night"), BARE),
    ("eb9c4d083f84d9b10f8857b355155b12b05b8bed28f9acb74d20886dde5ff030", CreateCategory(name="Night", slug="n", description="", parent=BY_SLUG), FULL),
    ("ddec8adb79a04a476a61ac1e10fdaa14dbed43ee014ab48f9e3f4b2fe7c68eed", RenameCategory(category=BY_ID), BARE),
    ("14b6500ce37eb63875c9b49e95b70576b91b724b6e0bf2772092ee85c1657920", RenameCategory(category=BY_SLUG, name="Night", slug="n"), FULL),
    ("81bc5f7868d3721be3686a5ea75c6faaa0f05fe5f99976567a9c9daae96702a5", DescribeCategory(category=BY_ID, description=None), BARE),
    ("6b8e8973b845e5d1b24cfcd9db9ae6362ebf00e94472f16592b65d59a5d1e0ba", DescribeCategory(category=BY_SLUG, description="D"), FULL),
    ("fae3ca6204ff1da713fe6549afcd8210e3b6960eeb2caa9f9162e4ab03fc8de8", MoveCategory(category=BY_ID, parent=None), BARE),
    ("54dde6335721ca642e4f51895d99f5bc4d6651917478f9033b0b19414bd53c9c", MoveCategory(category=BY_ID, parent=BY_SLUG), FULL),
    ("5fbea060ebc51377b1515ff31b61fbd8cf18db6618c88634c4aae1f68e53e57d", MergeCategory(category=BY_ID, into=BY_SLUG), BARE),
    ("040b801a0549772c3eec6e0fc3f47b751b633e6bdca7138fe7e677d8d02c4886", UnmergeCategory(category=BY_ID), BARE),
    ("ce04d77782e9cbcc0b00eeed75b37f99a4d7eaf196f76cc319798ab99141321a", DeleteCategory(category=BY_ID), BARE),
    ("0ad88d44970c795b155e86df003566e9807d0dae898c01a3d6ee629039e02401", RegisterAuthor(name="Ada"), BARE),
    ("172ffd3c46c1c29770dadbc43c2f5260e2cccba77b8751353429d03afc13d009", RenameAuthor(author_id=ID, name="Ada"), FULL),
    ("dfe2046e4cc8875bf6ce15fa0ecb69806f94348fb4af54115a11aabc05457cc5", RegisterAuthor(name="Ada", slug="a"), BARE),
    ("e579de8b174a06cf402fc404ed9910c1fcd97b23ecf9846df84556caffcfd40d", RenameAuthor(author_id=ID, slug="a"), FULL),
    ("868cc55fd3e4086e69cfab92de75d59c214266f3353262b0773c4bb71fd059f2", RenameAuthor(author_id=ID, name="Ada", slug=None), BARE),
    ("8e0082e13d849272cc93091a27c8e969b9d09a288aeaf7d9930dc1b7670ab0d0", RegisterActor(name="Ada"), BARE),
    ("8e0082e13d849272cc93091a27c8e969b9d09a288aeaf7d9930dc1b7670ab0d0", RegisterActor(name="Ada", kind=ActorKind.HUMAN), BARE),
    ("99a9e35eb8824e5ad473f34d3d45fce7d4f2af3fcd3d83acd44f321e6a7d3d6b", RegisterActor(name="Ada", kind=ActorKind.TOKEN), FULL),
    ("1927515f440deb54cc44935dfaf080c4cc5d758136a5c24d5ba901cf9d405c4f", RenameActor(actor_id=ID, name="Ada"), BARE),
    ("e1c27f1409295566779f908f3cc60f233522c95b25ed4de71c3721e9ee08aa04", NameSite(name="The Tide"), BARE),
    ("0c43e4500deea13a968fc9698bd0538bcc7b97d5ccb7ff7123d67740c17200df", LocalizeSite(language="pt-BR"), BARE),
    ("38f9b05b354e5974d5d706d00685ecfd0ecc3e9142eba7163c0c0333ade3aae1", LocalizeSite(language="ar", time_zone="Asia/Kathmandu"), FULL),
    ("200c08cd61f5e0dbe390092606a9abba1937131f7116c50228636ee313e123dd", DescribeSite(), BARE),
    ("7fd402cbed4fdb55e41269c8c60600e64f85fbbd694ecc517201570e80469a3a", DescribeSite(description=None, logo=None, address=None), BARE),
    ("b67fbe92807dae9cdff56612db2691818709d408a10790029949ee8a513e72bb", DescribeSite(description="D", logo=Logo(url="/l.svg", text="L"), address="A"), FULL),
    ("a8a67b2e83e4399d9af6d1f05cf33045f87ef6eb1d73d0076e9ff15d82e13611", CreatePage(title="About"), BARE),
    ("9de81efae957a5fc5f0fdc2ac2e9a8f6a9dd29d65aa611b5a9073f154470a893", CreatePage(title="About", body="B", slug="c", publish=True), FULL),
    ("0b74925f666ad843a4f4804168e98ee103cd836e73dd58876888c77151a0bdcd", EditPage(page_id=ID), BARE),
    ("33cb134f8693188ee22e78bb443fbc170d60c0b3ea35508fc0272023c1f0e8d1", EditPage(page_id=ID, title="About", body="B", slug="c", publish=True), FULL),
    ("8a8f94a21d8e367ce456b83040aa6bad9b40146726cc987bceea1e3c50e69e34", PublishPage(page_id=ID), BARE),
    ("e6469aa5dc25d3924d9042129f443db9edcf81a5b0009cbe6217b944995a46d6", UnpublishPage(page_id=ID), BARE),
    ("bd8f3a53aa5cd1ef5ff5ea0bbb41d76e01ae9fc28a1f40d8a53a6df6018b3968", ArrangeMenu(items=()), BARE),
    ("3f9d4a2f1f38ffa6b5fcf45a9143cf41c3fff88c60d55320b555661e8a68fdad", ArrangeMenu(items=(NewMenuItem(label="A", page=PageRef(slug="a")), NewMenuItem(label="B", category=BY_SLUG), NewMenuItem(label="C", place=MenuPlace.FOOTER, address="/c"))), FULL),
    ("f7cd029b5c3f3a93b6efc8988f1a40277a91b7f8b8b8e41cfa921a4ae34714bb", CreateToken(name="Feed", role=Role.READER, secret_hash="s"), BARE),
    (
        "37c606f24fffdf3c5f6e5b877bf437bbec6b7a9c3d62a22bdb6c9e34bd62e3f9",
        CreateToken(
            name="Feed",
            role=Role.EDITOR,
            scopes=(WRITE_POSTS, READ_OWN_POSTS),
            expires_at=1,
            acts_for=ID,
            token_id=OTHER_ID,
            secret_hash="t",
            giver=GRANTED[Role.EDITOR],
        ),
        FULL,
    ),
    ("f9ff10bab7fe339d146614d6c761f59f0813b4f43a9afc3c01cf0deff8c22913", RevokeToken(token_id=ID), BARE),
    ("898183648ebdc0ab672b9e7ac7d36654dd9a782a4a408576a317e3f8aa3d35d7", SkipEvent(projection="listings", position=41), BARE),
    ("82073ed5e2e4d516fa9b113fb7e052f05d031494cd8646e33b4859ce77da5964", ConfirmClock(last_recorded_time=1_734_858_000_000_000), BARE),
    ("d8e271541c75911fa3ab2b23a486a4d2456435e9c994137cb3939bfe04c6c984", CorrectClock(first_position=226, last_position=228, shift=-60_000_000), BARE),
)  # fmt: skip

CONTENT_KEYS: Final[Sequence[tuple[str, Command, int | None]]] = (
    ("a94659606a5e035241704c4ef1204b81bfd7455ffbfca053ecd2554d6e8221c0", NameSite(name="The Tide"), 0),
    ("bee5d1e5a6e5f0cc9151321390040cd7b8726075d7699264d2e4c5d86295d203", CategorizePost(post_id=ID, category=BY_ID), None),
    ("c4b3e14a334876b0e2a7083ecae9f6559e973da7db5e0f18ebacffdd237d9b54", CategorizePost(post_id=ID, category=CategoryRef(id=ID, slug="night")), 4),
    ("d866aa41bea741c3ae8fe3172f4836e4f572feae7521f93f80b7f3ad0630f86f", PublishPost(post_id=ID, published_at=1_714_000_000_000_000), 3),
    ("4551c58a9e686e3c3f30de0996c42bdb9f28c8b2044926c7aa6a7fc421f24176", EditPost(post_id=ID, body="Three *wheels*.\n", teaser=UNSET, publish=True), 3),
    ("575b641b2d93603e51a7ec41f775a58bdf6b5de40067ef6c723b9834ac0d2ef5", EditPost(post_id=ID, body=UNSET, teaser="“ßé” 🎈", publish=True), 12),
)  # fmt: skip


def _label(value: object) -> str | None:
    return type(value).__name__ if hasattr(value, "fingerprint_name") else None


@pytest.mark.parametrize(("expected", "command", "request_"), FINGERPRINTS, ids=_label)
def test_fingerprint(expected: str, command: Command, request_: CommandRequest) -> None:
    assert fingerprint(command, request_) == expected


def test_every_command_has_a_pinned_fingerprint_and_a_unique_name() -> None:
    assert {type(command) for _, command, _ in FINGERPRINTS} == FEATURES.declarations.commands.keys()
    names = {command.fingerprint_name for _, command, _ in FINGERPRINTS}
    assert len(names) == len(FEATURES.declarations.commands)
    assert names == {
        "ArchivePost", "ConfirmClock", "CorrectClock", "CategorizePost", "CreateCategory", "CreatePost", "CreateToken", "DeleteCategory",
        "DescribeCategory", "EditPost", "LocalizeSite", "MergeCategory", "MoveCategory", "NameSite", "PublishPost",
        "RegisterActor", "RegisterAuthor", "RenameActor", "RenameAuthor", "RenameCategory", "RestorePost",
        "RevertPost", "RevokeToken", "SkipEvent", "UnarchivePost", "UncategorizePost", "UnmergeCategory",
        "UnpublishPost",
        "ArrangeMenu", "CreatePage", "DescribeSite", "EditPage", "PublishPage", "UnpublishPage",
        "AddCorrection", "RewordCorrection", "RetractCorrection", "PublishWithCorrection", "EditWithCorrection",
    }  # fmt: skip


def test_the_class_name_is_not_part_of_a_fingerprint_or_key() -> None:
    class Renamed(ArchivePost):
        pass

    assert fingerprint(Renamed(post_id=ID), BARE) == fingerprint(ArchivePost(post_id=ID), BARE)
    assert content_key(Renamed(post_id=ID), 1) == content_key(ArchivePost(post_id=ID), 1)


@pytest.mark.parametrize(("expected", "command", "version"), CONTENT_KEYS, ids=_label)
def test_idempotency_key_of_an_imported_change(expected: str, command: Command, version: int | None) -> None:
    assert content_key(command, version) == f"page.change.{expected}"


def test_idempotency_keys_of_imported_posts_categories_and_authors() -> None:
    assert (
        post_key("The “Tide Mill” turns", 2)
        == post_key("the tide MILL turns", 2)
        == "page.post.2.199552e14c80da05eae285b7b68a86d3d92e2fc0186da2bcbdee0b652569c710"
    )
    assert post_key("…", 1) == "page.post.1.b4935894c8ce16bde67bbffc672428b1533c4f1e1e8b1ce21a2933183db6bfa5"
    assert (
        category_key("Über uns", 1)
        == "page.category.1.b7defbf9cff089f6d915b75d10301b31720c03d65461d73f4f95edd68560b8fe"
    )
    assert (
        author_key("Ada Example")
        == "page.author.b9f00a2252474410f992662710d5635c578415220cdd6127cb159bfdf71ec51f"
    )


def test_the_reasons_of_guessed_dates() -> None:
    assert DATE_UNCERTAIN == "imported from a saved page; its date is uncertain"
    assert DATE_GUESSED == "imported from a saved page; it gives no date, so that of its retrieval was taken"
