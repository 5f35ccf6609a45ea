-- The tables of Keystone's Prisma schema, as `prisma db push` would create them.
PRAGMA journal_mode = WAL;

CREATE TABLE "Category" (
    "id"   TEXT NOT NULL PRIMARY KEY,
    "slug" TEXT NOT NULL DEFAULT '',
    "name" TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX "Category_slug_key" ON "Category" ("slug");

CREATE TABLE "Post" (
    "id"          TEXT NOT NULL PRIMARY KEY,
    "slug"        TEXT NOT NULL DEFAULT '',
    "title"       TEXT NOT NULL DEFAULT '',
    "teaser"      TEXT NOT NULL DEFAULT '',
    "body"        TEXT NOT NULL DEFAULT '',
    "status"      TEXT DEFAULT 'draft',
    "publishedAt" DATETIME
);
CREATE UNIQUE INDEX "Post_slug_key" ON "Post" ("slug");
CREATE INDEX "Post_publishedAt_idx" ON "Post" ("publishedAt");

CREATE TABLE "_Category_posts" (
    "A" TEXT NOT NULL REFERENCES "Category" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    "B" TEXT NOT NULL REFERENCES "Post" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "_Category_posts_AB_unique" ON "_Category_posts" ("A", "B");
CREATE INDEX "_Category_posts_B_index" ON "_Category_posts" ("B");
