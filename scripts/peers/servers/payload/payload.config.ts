// The newsroom in Payload: access for everyone, no drafts of published posts.
import { sqliteAdapter } from '@payloadcms/db-sqlite'
import { buildConfig } from 'payload'

const everyone = () => true
const access = { create: everyone, read: everyone, update: everyone, delete: everyone }

export default buildConfig({
  secret: 'of the benchmark',
  telemetry: false,
  db: sqliteAdapter({
    client: { url: `file:${process.env.DATABASE}` },
    wal: { synchronous: 'FULL' },
    transactionOptions: process.env.TRANSACTIONS === 'off' ? false : {},
  }),
  collections: [
    {
      slug: 'categories',
      access,
      fields: [
        { name: 'slug', type: 'text', unique: true, index: true, required: true },
        { name: 'name', type: 'text', required: true },
      ],
    },
    {
      slug: 'posts',
      access,
      fields: [
        { name: 'slug', type: 'text', unique: true, index: true, required: true },
        { name: 'title', type: 'text', required: true },
        { name: 'teaser', type: 'text' },
        { name: 'body', type: 'textarea' },
        // An index on the status would be slower: SQLite would prefer it to the one on the date, and sort all posts.
        { name: 'status', type: 'select', options: ['draft', 'published'] },
        { name: 'publishedAt', type: 'date', index: true },
        { name: 'categories', type: 'relationship', relationTo: 'categories', hasMany: true, index: true },
      ],
    },
  ],
  admin: { disable: true },
  typescript: { autoGenerate: false },
})
