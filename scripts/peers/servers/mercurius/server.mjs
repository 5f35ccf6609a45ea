// The newsroom in mercurius with graphql-jit; resolvers with hand-written SQL, and loaders for lists of lists.
// Usage: node server.mjs PORT DATABASE
import { DatabaseSync } from 'node:sqlite'
import Fastify from 'fastify'
import mercurius from 'mercurius'

const [port, path] = process.argv.slice(2)
const db = new DatabaseSync(path)
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000')

const schema = `
  type Category { id: ID! slug: String! name: String! posts(first: Int!): [Post!]! }
  type Post { id: ID! slug: String! title: String! teaser: String! body: String! publishedAt: String! categories: [Category!]! }
  type Query {
    posts(first: Int!): [Post!]!
    post(slug: String!): Post
    category(slug: String!): Category
    categories: [Category!]!
    postCount: Int!
  }
  type Mutation {
    createCategory(slug: String!, name: String!): Category!
    createPost(slug: String!, title: String!, teaser: String!, body: String!, publishedAt: String!, categories: [ID!]!): Post!
  }`

const POST = 'posts.id, posts.slug, title, teaser, body, published_at AS publishedAt'
const newest = db.prepare(`SELECT ${POST} FROM posts ORDER BY published_at DESC LIMIT ?`)
const bySlug = db.prepare(`SELECT ${POST} FROM posts WHERE slug = ?`)
const newestOf = db.prepare(
  `SELECT ${POST} FROM post_categories JOIN posts ON posts.id = post_id WHERE category_id = ? ORDER BY published_at DESC LIMIT ?`)
const category = db.prepare('SELECT id, slug, name FROM categories WHERE slug = ?')
const allCategories = db.prepare('SELECT id, slug, name FROM categories ORDER BY id')
const count = db.prepare('SELECT count(*) AS posts FROM posts')
const insertCategory = db.prepare('INSERT INTO categories (slug, name) VALUES (?, ?)')
const insertPost = db.prepare('INSERT INTO posts (slug, title, teaser, body, published_at) VALUES (?, ?, ?, ?, ?)')
const insertPostCategory = db.prepare('INSERT INTO post_categories (post_id, category_id) VALUES (?, ?)')
const categoriesOf = db.prepare(
  `SELECT post_id, categories.id, slug, name FROM post_categories JOIN categories ON categories.id = category_id
   WHERE post_id IN (SELECT value FROM json_each(?)) ORDER BY post_id, categories.slug`)

const resolvers = {
  Query: {
    posts: (_, { first }) => newest.all(first),
    post: (_, { slug }) => bySlug.get(slug),
    category: (_, { slug }) => category.get(slug),
    categories: () => allCategories.all(),
    postCount: () => count.get().posts,
  },
  Category: { posts: ({ id }, { first }) => newestOf.all(id, first) },
  Mutation: {
    createCategory: (_, { slug, name }) => ({ id: insertCategory.run(slug, name).lastInsertRowid, slug, name }),
    createPost(_, { slug, title, teaser, body, publishedAt, categories }) {
      db.exec('BEGIN IMMEDIATE')
      try {
        const id = insertPost.run(slug, title, teaser, body, publishedAt).lastInsertRowid
        for (const each of categories) insertPostCategory.run(id, Number(each))
        db.exec('COMMIT')
        return { id, slug, title, teaser, body, publishedAt }
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },
  },
}

const loaders = {
  Post: {
    async categories(queries) {
      const found = new Map(queries.map(({ obj }) => [Number(obj.id), []]))
      for (const row of categoriesOf.all(JSON.stringify([...found.keys()]))) found.get(row.post_id).push(row)
      return queries.map(({ obj }) => found.get(Number(obj.id)))
    },
  },
}

const app = Fastify({ logger: false })
app.register(mercurius, { schema, resolvers, loaders: loaders, jit: 1 })
await app.listen({ port: Number(port), host: '127.0.0.1' })
