"""Pins stored names and texts, which otherwise depend on Python names, on their order, or on the text of SQL.

`docs/reference/stored-names.md` lists all of them. `test_stored_fingerprints.py` pins fingerprints and keys, and
`test_shown_names.py` pins names that are visible outside the program. Nothing here may change, even if a class is
renamed.
"""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest

from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.kernel_events import LOG_STREAM, lease_stream, projection_stream, withdrawal_stream
from ledgerpress.eventlog.lease_compare_and_set import LeaseEntry
from ledgerpress.features.actors.model import ACTORS, RESERVED, ActorKind
from ledgerpress.features.authors.model import AUTHORS
from ledgerpress.features.categories.model import TAXONOMY
from ledgerpress.features.posts.corrections.model import CorrectionKind, id_of_note
from ledgerpress.features.posts.listings_projection import (
    EVERY_ARTICLE,
    EVERY_POST,
    NO_LONGER_PUBLIC,
    STATUS_KEYS,
    ListedPost,
)
from ledgerpress.features.posts.model import CONTENT, POSTS, PostStatus
from ledgerpress.features.registry import EVENT_TYPES, FEATURES, all_projectors, event_codec
from ledgerpress.features.site.model import SITE
from ledgerpress.features.site_pages import MENU, PAGES
from ledgerpress.features.site_pages.menu_model import MenuPlace, TargetKind
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SlugKind
from ledgerpress.features.tokens.commands import first_token_id
from ledgerpress.features.tokens.model import TOKENS
from ledgerpress.operator.log_copy import LogComparison
from ledgerpress.views.files.tables import ViewsDamaged, check_tables, create_tables, normalized
from ledgerpress.views.files.views_directory import ViewsDirectory, digest_of
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import ProjectorOfParts
from tests.apply_projector import apply_all
from tests.contract.test_event_schemas import stored

ID: Final = "00000000-0000-8000-8000-00000000000a"
OTHER_ID: Final = "00000000-0000-8000-8000-00000000000b"
DIGEST: Final = "dc5fdb10"
"""Part of the name of every views file until the version of a projector changes."""

SUBJECT_FIELDS: Final = {
    "log.opened": "log", "site.named": "site", "site.localized": "site", "site.described": "site", "payload.withdrawn": None, "projection.skipped": None,
    "lease.taken": None, "clock.confirmed": "clock", "clock.corrected": "clock", "actor.registered": "actorId", "actor.renamed": "actorId",
    "token.created": "tokenId", "token.revoked": "tokenId",
    "author.registered": "authorId", "author.renamed": "authorId",
    "category.created": "categoryId", "category.renamed": "categoryId", "category.described": "categoryId",
    "category.moved": "categoryId", "category.merged": "categoryId", "category.unmerged": "categoryId",
    "category.deleted": "categoryId",
    "slug.claimed": None, "slug.released": None, "post.created": "postId", "post.edited": "postId",
    "post.categorized": "postId", "post.uncategorized": "postId", "post.published": "postId",
    "post.unpublished": "postId", "post.archived": "postId", "post.unarchived": "postId",
    "post.restored": "postId", "post.reverted": "postId",
    "correction.recorded": "postId", "correction.reworded": "postId", "correction.retracted": "postId",
    "page.created": "pageId", "page.edited": "pageId", "page.published": "pageId", "page.unpublished": "pageId", "menu.arranged": "menu",
}  # fmt: skip
"""For each event name, the data field with the subject of the command; otherwise it is the id in the stream name."""


@pytest.mark.parametrize("event_type", [name for name, *_ in EVENT_TYPES])
def test_subject_of_a_command(event_type: str) -> None:
    event = stored(event_type, 1)
    assert event.payload
    field = SUBJECT_FIELDS[event_type]
    data = msgspec.json.decode(event.payload.plaintext)["data"]
    expected = data[field] if field in data else event.header.stream.partition(".")[2]
    assert subject_of(event_codec().decode(event)) == expected


def subject_of(recorded: Recorded[Any]) -> str:
    projector = CommandsProjector()
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(projector.schema)
        apply_all(projector, [recorded], db)
        row: tuple[str] = db.execute("SELECT subject_id FROM command").fetchone()
        return row[0]


def test_names_and_values_in_events() -> None:
    assert {name for name, *_ in EVENT_TYPES} == SUBJECT_FIELDS.keys()
    assert [kind.value for kind in ActorKind] == ["human", "token", "system"]
    assert [kind.value for kind in SlugKind] == ["post", "category", "author", "page"]
    assert [kind.value for kind in CorrectionKind] == ["CORRECTION", "CLARIFICATION", "UPDATE"]
    assert [place.value for place in MenuPlace] == ["HEADER", "FOOTER"]
    assert [kind.value for kind in TargetKind] == ["page", "category", "address"]
    assert [role.value for role in Role] == ["reader", "author", "editor", "auditor", "admin"]
    assert [(str(permission), permission.enum_name) for permission in FEATURES.roles.in_order] == [
        ("posts:read-own", "READ_OWN_POSTS"),
        ("posts:read", "READ_POSTS"),
        ("history:read", "READ_HISTORY"),
        ("posts:write-own", "WRITE_OWN_POSTS"),
        ("posts:write", "WRITE_POSTS"),
        ("categories:write", "WRITE_CATEGORIES"),
        ("people:write", "WRITE_PEOPLE"),
        ("site:write", "WRITE_SITE"),
        ("operations:read", "READ_OPERATIONS"),
        ("operations:write", "WRITE_OPERATIONS"),
        ("tokens:read", "READ_TOKENS"),
        ("tokens:write", "WRITE_TOKENS"),
    ]
    assert tuple(field.name for field in CONTENT) == ("slug", "title", "teaser", "body", "author_ids")
    assert [(actor.id, actor.kind.value, actor.name) for actor in RESERVED] == [
        ("00000000-0000-8000-8000-000000000001", "system", "LedgerPress"),
        ("00000000-0000-8000-8000-000000000002", "system", "Local operator"),
        ("00000000-0000-8000-8000-000000000003", "system", "Import"),
    ]


def test_names_of_streams() -> None:
    assert (LOG_STREAM, SITE.prefix, TAXONOMY.prefix, MENU.prefix) == ("log", "site", "taxonomy", "menu")
    assert PAGES.stream(ID) == f"page.{ID}"
    assert POSTS.stream(ID) == f"post.{ID}"
    assert AUTHORS.stream(ID) == f"author.{ID}"
    assert ACTORS.stream(ID) == f"actor.{ID}"
    assert TOKENS.stream(ID) == f"token.{ID}"
    assert withdrawal_stream(ID) == f"withdrawal.{ID}"
    assert projection_stream("listings") == "projection.listings"
    assert lease_stream("schedules") == "lease.schedules"
    digest = "b9a9ffee047f0188b6b36ea04697943826eedc8c7519eb938e2a4075f3e8f92a"
    assert slugs.SLUGS.stream(slugs.stream_id(SlugKind.POST, "night", bytes(32))) == f"slug.post.{digest}"


def test_derived_ids() -> None:
    # The golden log pins the ids of new posts, categories, authors, actors and tokens.
    assert first_token_id(ID) == "fc2198db-88be-8529-9367-0415bfe5f499"
    assert id_of_note(ID, 7) == "996e0279-a04e-802d-a0fd-fd40717fa66b"


def test_keys_of_listings() -> None:
    keys = {"DRAFT": -1, "PUBLISHED": -2, "UNPUBLISHED": -3, "ARCHIVED": -4}
    assert {status.value: STATUS_KEYS[status] for status in PostStatus} == keys
    assert (EVERY_ARTICLE, EVERY_POST, NO_LONGER_PUBLIC) == (0, (-1, -2, -3, -4), (-3, -4))


def test_state_of_a_listed_post() -> None:
    draft = ListedPost(7, 1_714_000_000_000_000, PostStatus.DRAFT, (ID,))
    article = ListedPost(8, 0, PostStatus.PUBLISHED, (), -1, (ID, OTHER_ID), (OTHER_ID,), 9, -1, -2)
    assert msgspec.msgpack.encode(draft) == (
        b"\x84\xa3seq\x07\xaacreated_at\xcf\x00\x06\x16\xdf\xb9% \x00\xa6status\xa5DRAFT\xaaauthor_ids\x91\xd9$0000000"
        b"0-0000-8000-8000-00000000000a"
    )
    assert msgspec.msgpack.encode(article) == (
        b"\x8a\xa3seq\x08\xaacreated_at\x00\xa6status\xa9PUBLISHED\xaaauthor_ids\x90\xacpublished_at"
        b"\xff\xb2article_author_ids\x92\xd9$00000000-0000-8000-8000-00000000000a\xd9"
        b"$00000000-0000-8000-8000-00000000000b\xaccategory_ids\x91\xd9$0000000"
        b"0-0000-8000-8000-00000000000b\xa8dated_by\t\xadcreated_shift\xff\xafpublished_shift\xfe"
    )


def test_projectors() -> None:
    names = "categories changes commands integrity listings moments people posts tokens"
    expected = {**dict.fromkeys(names.split(), 1), "people": 4, "moments": 2}
    expected |= {"categories": 2, "posts": 3, "listings": 2}
    assert {projector.name: projector.version for projector in all_projectors()} == expected


class Rewritten:
    """A projector with the same tables, but with other comments and whitespace in its SQL."""

    def __init__(self, sound: Any) -> None:
        self.name, self.version, self.begin = sound.name, sound.version, sound.begin
        self.schema, self.indexes = rewritten(sound.schema), rewritten(sound.indexes)
        if isinstance(sound, ProjectorOfParts):
            self.parts = [SimpleNamespace(version=p.version, schema=rewritten(p.schema)) for p in sound.parts]


def rewritten(sql: str) -> str:
    bare = re.sub(r"--[^\n]*", "", sql)
    return "-- Other words.\n" + re.sub(r"\s+", " ", bare).replace(";", "; -- it ends\n")


def rewritten_projectors() -> Sequence[Any]:
    return [Rewritten(projector) for projector in all_projectors()]


def test_digest_in_the_name_of_a_views_file(tmp_path: Path) -> None:
    assert digest_of(all_projectors()) == DIGEST
    assert ViewsDirectory(tmp_path, all_projectors()).vacant().name == f"views-{DIGEST}-1.sqlite"


def test_comments_and_whitespace_do_not_change_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    others = rewritten_projectors()
    assert all(
        original.schema != other.schema for original, other in zip(all_projectors(), others, strict=True)
    )
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db, all_projectors())
        monkeypatch.setattr(checkpoints, "SCHEMA", rewritten(checkpoints.SCHEMA))
        check_tables(db, others)
        assert digest_of(others) == digest_of(all_projectors()) == DIGEST


def test_another_column_or_version_changes_the_digest() -> None:
    other = rewritten_projectors()
    other[0].schema = other[0].schema.replace("name TEXT", "title TEXT")
    assert digest_of(other) != DIGEST
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db, all_projectors())
        with pytest.raises(ViewsDamaged, match="its tables do not match the projectors"):
            check_tables(db, other)
    newer = rewritten_projectors()
    newer[0].version += 1
    assert digest_of(newer) != DIGEST


@pytest.mark.parametrize(
    ("sql", "other", "same"),
    [
        ("CREATE TABLE a (b TEXT) -- c", "CREATE  TABLE a(\n b TEXT\n)", True),
        ("CREATE TABLE a (b TEXT /* c\nd */)", "CREATE TABLE a (b TEXT)", True),
        ("INSERT INTO a VALUES ('x -- y')", "INSERT INTO a VALUES ('x')", False),
        ("INSERT INTO a VALUES ('x  y')", "INSERT INTO a VALUES ('x y')", False),
        ("INSERT INTO a VALUES ('it''s  -- z')", "INSERT INTO a VALUES ('it''s')", False),
        ('SELECT "a  b"', 'SELECT "a b"', False),
        ("SELECT ab", "SELECT a b", False),
        ("SELECT a", "SELECT A", False),
    ],
)
def test_sql_is_compared_without_comments_and_whitespace(sql: str, other: str, same: bool) -> None:
    assert (normalized(sql) == normalized(other)) is same


def test_entry_of_a_lease_and_note_of_a_copy() -> None:
    held = LeaseEntry(node="Nördlich 2", seconds=1.5, holder=ID, token=3)
    assert held.text() == f'{{"node":"Nördlich 2","seconds":1.5,"holder":"{ID}","token":3}}'
    assert LeaseEntry(node="n", seconds=2.0).text() == '{"node":"n","seconds":2.0}'
    note = msgspec.json.encode(LogComparison(3, (b"\x01", b"\xff"), 5))
    assert note == b'{"size":3,"peaks":["AQ==","/w=="],"recorded_time":5}'
