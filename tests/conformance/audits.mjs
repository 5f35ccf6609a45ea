// Run the audits of graphql-http against a server, and print each result as a line of JSON.
//   node audits.mjs PACKAGES URL [header=value …]
import { createRequire } from "node:module";
import { join } from "node:path";

const [packages, url, ...headers] = process.argv.slice(2);
const { auditServer } = createRequire(join(packages, "package.json"))("graphql-http");
const extra = Object.fromEntries(headers.map((header) => header.split("=", 2)));

const results = await auditServer({
  url,
  fetchFn: (to, options = {}) => fetch(to, { ...options, headers: { ...options.headers, ...extra } }),
});
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason: reason ?? null }));
}
