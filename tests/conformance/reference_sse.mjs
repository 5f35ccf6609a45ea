// The reference server of GraphQL over server-sent events: npm's graphql-sse. It prints its port.
//   node reference_sse.mjs PACKAGES
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { makeSchema } from "./reference_schema.mjs";

const require = createRequire(join(process.argv[2], "package.json"));
const { createHandler } = require("graphql-sse/lib/use/http");

const handler = createHandler({ schema: makeSchema(require("graphql")) });
const server = createServer((request, response) => {
  handler(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
