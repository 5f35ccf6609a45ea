"""The comparison of two views files reports the same differences as sets in plain Python."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgerpress.views.files.comparison import RowDifference, TableDifference, compare
from tests.property.test_views import EXAMPLES

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = list[Row]
Differences: TypeAlias = "Counter[tuple[str, Row, Row | None, Row | None]]"

NUMBERS: Final = (-(2**63), -1, 0, 1, 2, 9, 10, 2**53, 2**53 + 1, 2**63 - 1)
MEASURES: Final = (-1.5, 0.0, 0.1, 2.0, 1e300, float("-inf"))
TEXTS: Final = ("", "a", "A", "ab", "b", "é", "\uffff", "\U0001f600", "a\x00b")
BYTES: Final = (b"", b"\x00", b"a", b"ab", b"\xff")
OF_TYPE: Final[Mapping[str, Collection[object]]] = {
    "INTEGER": NUMBERS, "REAL": MEASURES, "TEXT": TEXTS, "BLOB": BYTES,
    "ANY": (*NUMBERS, *TEXTS, *BYTES),
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """A table: its columns with their types, the columns of its key, its constraint and its table options."""

    columns: Mapping[str, str]
    key: tuple[str, ...]
    clause: str
    end: str

    @property
    def sql(self) -> str:
        columns = [
            f"{name} {kind}{' NOT NULL' if name in self.key else ''}" for name, kind in self.columns.items()
        ]
        return f"CREATE TABLE t ({', '.join(columns + ([self.clause] if self.clause else []))}) {self.end}"

    def rows(self) -> st.SearchStrategy[Rows]:
        """Return a strategy for rows that the table can contain together."""
        values = [
            st.sampled_from(list(OF_TYPE[kind])) | (st.nothing() if name in self.key else st.none())
            for name, kind in self.columns.items()
        ]
        places = [list(self.columns).index(name) for name in self.key]

        def identity(row: Row) -> object:
            return tuple((type(row[place]), row[place]) for place in places)

        return st.lists(st.tuples(*values), max_size=12, unique_by=identity if self.key else None)


STRICT, WITHOUT_ROWID = "STRICT", "STRICT, WITHOUT ROWID"
ABCD: Final = {"a": "TEXT", "b": "INTEGER", "c": "BLOB", "d": "REAL"}
SHAPES: Final = (
    Shape({"k": "INTEGER", "a": "TEXT", "b": "BLOB"}, ("k",), "PRIMARY KEY (k)", STRICT),
    Shape({"a": "TEXT", "k": "INTEGER"}, ("k",), "PRIMARY KEY (k DESC)", STRICT),
    Shape(ABCD, ("a", "b"), "PRIMARY KEY (a, b DESC)", WITHOUT_ROWID),
    Shape(ABCD, ("a", "b"), "PRIMARY KEY (a DESC, b)", WITHOUT_ROWID),
    Shape(ABCD, ("c", "b"), "PRIMARY KEY (c DESC, b DESC)", WITHOUT_ROWID),
    Shape(ABCD, ("d", "a"), "PRIMARY KEY (d, a)", STRICT),
    Shape(ABCD, ("a",), "PRIMARY KEY (a)", WITHOUT_ROWID),
    Shape(ABCD, (), "", STRICT),
    Shape({"a": "TEXT", "c": "BLOB"}, (), "UNIQUE (a)", STRICT),
    Shape({"x": "ANY", "a": "TEXT"}, ("x",), "PRIMARY KEY (x)", WITHOUT_ROWID),
    Shape({"e": "TEXT", "f": "INTEGER"}, ("e",), "PRIMARY KEY (e)", WITHOUT_ROWID),
)
UNIQUE: Final = SHAPES[8]


def tables(shape: Shape) -> st.SearchStrategy[tuple[Shape, Rows]]:
    """Return a strategy for a table of the shape with its rows."""
    rows = shape.rows()
    if shape is UNIQUE:
        rows = rows.map(lambda some: [row for row in some if row[0] is None])
    return st.tuples(st.just(shape), rows)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple[Shape, Rows] | None, tuple[Shape, Rows] | None]:
    """Draw a table before and after: mostly of the same shape with common rows, sometimes of another or missing."""
    shape = draw(st.sampled_from(SHAPES))
    before = draw(tables(shape))
    match draw(st.sampled_from(("same shape", "same rows", "same shape", "other shape", "missing"))):
        case "missing":
            first, second = draw(st.permutations([before, None]))
            return first, second
        case "other shape":
            return before, draw(st.sampled_from(SHAPES).flatmap(tables))
        case "same rows":
            return before, (shape, draw(st.permutations(before[1])))
    _, drawn = draw(tables(shape))
    places = [list(shape.columns).index(name) for name in shape.key]
    keys = {tuple(row[place] for place in places) for row in drawn}
    common = draw(st.sets(st.sampled_from(before[1]))) if before[1] and shape is not UNIQUE else set()
    return before, (
        shape,
        drawn + [row for row in common if not places or tuple(row[place] for place in places) not in keys],
    )


def filled(table: tuple[Shape, Rows] | None) -> sqlite3.Connection:
    """Return a database with the table, and with another table that is always the same."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE same (k INTEGER PRIMARY KEY, a TEXT)")
    db.executemany("INSERT INTO same VALUES (?, ?)", [(1, "a"), (2, None)])
    if table:
        shape, rows = table
        db.execute(shape.sql)
        db.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(shape.columns))})", rows)
    return db


def compared(
    before: tuple[Shape, Rows] | None, after: tuple[Shape, Rows] | None
) -> tuple[list[TableDifference], list[RowDifference]]:
    """Return the differences that `compare` reports."""
    reported: list[RowDifference] = []
    with closing(filled(before)) as old, closing(filled(after)) as new:
        differing, digests = compare(old, new, reported.append)
        assert digests.keys() == ({"same", "t"} if after else {"same"})
        return differing, reported


def same(row: Iterable[Any]) -> Row:
    """Return the row with the types of its values, to distinguish 1 from 1.0."""
    return tuple((type(value).__name__, value) for value in row)


def part(row: Mapping[str, object] | None) -> Row | None:
    return None if row is None else tuple((name, *same([value])) for name, value in sorted(row.items()))


def unordered(rows: Iterable[RowDifference]) -> Differences:
    """Return the reported differences without their order."""
    return Counter(
        (difference.table, part(difference.key) or (), part(difference.before), part(difference.after))
        for difference in rows
    )


def expected(before: tuple[Shape, Rows] | None, after: tuple[Shape, Rows] | None) -> list[RowDifference]:
    """Return the differences by sets: by key if both have the same key, otherwise by all common columns."""
    shapes = [table[0] for table in (before, after) if table]
    names = [list(shape.columns) for shape in shapes]
    common = [name for name in names[0] if name in names[-1]]
    alone = not common or len(shapes) == 1

    def side(table: tuple[Shape, Rows] | None) -> list[dict[str, object]]:
        if table is None:
            return []
        shape, rows = table
        named = [dict(zip(shape.columns, row, strict=True)) for row in rows]
        return named if alone else [{name: row[name] for name in common} for row in named]

    old, new = side(before), side(after)
    if alone:
        removed = [_one_sided(before[0], row, True) for row in old] if before else []
        return removed + ([_one_sided(after[0], row, False) for row in new] if after else [])
    keyed = shapes[0].key and set(shapes[0].key) == set(shapes[-1].key)
    key_columns = shapes[0].key if keyed else tuple(common)
    if not keyed:
        was, now = (Counter(tuple(row[name] for name in common) for row in rows) for rows in (old, new))
        key = [dict(zip(common, row, strict=True)) for row in (was - now).elements()]
        other = [dict(zip(common, row, strict=True)) for row in (now - was).elements()]
        return [RowDifference("t", row, {}, None) for row in key] + [
            RowDifference("t", row, None, {}) for row in other
        ]
    at_first = {tuple(row[name] for name in key_columns): row for row in old}
    at_last = {tuple(row[name] for name in key_columns): row for row in new}
    differences = []
    for values in at_first.keys() | at_last.keys():
        was_row, is_row = at_first.get(values), at_last.get(values)
        if was_row == is_row:
            continue
        differing = [
            name
            for name in common
            if name not in key_columns
            and (was_row is None or is_row is None or was_row[name] != is_row[name])
        ]
        differences.append(
            RowDifference(
                "t",
                dict(zip(key_columns, values, strict=True)),
                {name: was_row[name] for name in differing} if was_row is not None else None,
                {name: is_row[name] for name in differing} if is_row is not None else None,
            )
        )
    return differences


def _one_sided(shape: Shape, row: Mapping[str, object], is_removed: bool) -> RowDifference:
    key = {name: row[name] for name in shape.key or shape.columns}
    rest = {name: value for name, value in row.items() if name not in key}
    return RowDifference("t", key, rest if is_removed else None, None if is_removed else rest)


KEY: Final = SHAPES[0]
WIDER: Final = Shape({**KEY.columns, "z": "TEXT"}, KEY.key, KEY.clause, KEY.end)
RENAMED: Final = Shape({"k": "INTEGER", "a": "TEXT", "z": "BLOB"}, KEY.key, KEY.clause, KEY.end)
OTHER_KEY: Final = Shape(KEY.columns, ("k", "a"), "PRIMARY KEY (a DESC, k)", WITHOUT_ROWID)
SOME: Final[Rows] = [(1, "a", None), (2, "b", b"b")]


@settings(max_examples=EXAMPLES * 3, deadline=None, print_blob=True)
@example(((KEY, SOME), (WIDER, [(1, "a", None, "new"), (2, "c", b"b", None)])))
@example(((WIDER, [(1, "a", None, "new")]), (KEY, SOME)))
@example(((KEY, SOME), (RENAMED, SOME)))
@example(((KEY, []), (WIDER, [])))
@example(((KEY, SOME), (OTHER_KEY, SOME)))
@example(((SHAPES[2], [("a", n, None, None) for n in (2, 1)]), (SHAPES[3], [("b", 1, None, None)])))
@given(pairs())
def test_the_reported_differences_equal_those_of_sets_in_plain_python(
    pair: tuple[tuple[Shape, Rows] | None, tuple[Shape, Rows] | None],
) -> None:
    before, after = pair
    differing, reported = compared(before, after)
    differences = expected(before, after)
    assert unordered(reported) == unordered(differences)
    one_sided = [
        [name for name in table[0].columns if other and name not in other[0].columns] if table else []
        for table, other in ((before, after), (after, before))
    ]
    if not differences and not any(one_sided) and before and after:
        assert not any(difference.added + difference.removed + difference.changed for difference in differing)
        if list(before[0].columns) == list(after[0].columns) and before[0].clause == after[0].clause:
            assert differing == []
        return
    (table_difference,) = differing
    assert (table_difference.table, table_difference.columns_before, table_difference.columns_after) == (
        "t",
        *one_sided,
    )
    assert (table_difference.added, table_difference.removed, table_difference.changed) == (
        sum(difference.before is None for difference in differences),
        sum(difference.after is None for difference in differences),
        sum(None not in (difference.before, difference.after) for difference in differences),
    )
    assert [
        digest.rows if digest else None for digest in (table_difference.before, table_difference.after)
    ] == [len(table[1]) if table else None for table in (before, after)]


def test_excluded_tables_and_the_projection_table_are_not_compared() -> None:
    reported: list[RowDifference] = []
    with closing(filled((KEY, SOME))) as old, closing(filled(None)) as new:
        for db, position in ((old, 1), (new, 2)):
            db.execute("CREATE TABLE projection (position INTEGER)")
            db.execute("INSERT INTO projection VALUES (?)", (position,))
        assert compare(old, new, reported.append, but=["t"])[0] == []
    assert reported == []
