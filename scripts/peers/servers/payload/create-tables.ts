// Creates the tables, as Payload does in development. Run by `payload run`.
import config from '@payload-config'
import { getPayload } from 'payload'

await getPayload({ config })
process.exit(0)
