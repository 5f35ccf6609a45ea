// The GraphQL API of Payload; its REST API and its admin interface are left out.
import config from '@payload-config'
import { GRAPHQL_POST } from '@payloadcms/next/routes'
export const POST = GRAPHQL_POST(config)
