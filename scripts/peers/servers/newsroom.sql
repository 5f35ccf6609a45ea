-- The newsroom in tables that a developer would write by hand. mercurius and plain strawberry use them.
PRAGMA journal_mode = WAL;

CREATE TABLE categories (
    id   INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE posts (
    id           INTEGER PRIMARY KEY,
    slug         TEXT NOT NULL UNIQUE,
    title        TEXT NOT NULL,
    teaser       TEXT NOT NULL,
    body         TEXT NOT NULL,
    published_at TEXT NOT NULL
) STRICT;
CREATE INDEX posts_by_date ON posts (published_at);

CREATE TABLE post_categories (
    post_id     INTEGER NOT NULL REFERENCES posts,
    category_id INTEGER NOT NULL REFERENCES categories,
    PRIMARY KEY (post_id, category_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX posts_of_category ON post_categories (category_id, post_id);
