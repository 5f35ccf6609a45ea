// The newsroom in Keystone, with its generated GraphQL API and without its admin interface.
import { config, list } from '@keystone-6/core'
import { allowAll } from '@keystone-6/core/access'
import { relationship, select, text, timestamp } from '@keystone-6/core/fields'
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'

export default config({
  telemetry: false,
  ui: { isDisabled: true },
  server: { port: Number(process.env.PORT), options: { host: '127.0.0.1' } },
  db: {
    provider: 'sqlite',
    prismaClientOptions: () => ({ adapter: new PrismaBetterSqlite3({ url: `file:${process.env.DATABASE}` }) }),
    // The file is in WAL mode already. The default of better-sqlite3 for such files is NORMAL, which is not durable.
    onConnect: async (context) => {
      await context.prisma.$executeRawUnsafe('PRAGMA synchronous = FULL')
    },
  },
  lists: {
    Category: list({
      access: allowAll,
      fields: {
        slug: text({ isIndexed: 'unique' }),
        name: text(),
        posts: relationship({ ref: 'Post.categories', many: true }),
      },
    }),
    Post: list({
      access: allowAll,
      fields: {
        slug: text({ isIndexed: 'unique' }),
        title: text(),
        teaser: text(),
        body: text(),
        // An index on the status would be slower: SQLite would prefer it to the one on the date, and sort all posts.
        status: select({ options: ['draft', 'published'], defaultValue: 'draft' }),
        publishedAt: timestamp({ isIndexed: true }),
        categories: relationship({ ref: 'Category.posts', many: true }),
      },
    }),
  },
})
