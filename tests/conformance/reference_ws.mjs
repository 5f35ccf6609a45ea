// The reference server of graphql-transport-ws: npm's graphql-ws on npm's ws. It prints its port.
//   node reference_ws.mjs PACKAGES
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { makeSchema } from "./reference_schema.mjs";

const require = createRequire(join(process.argv[2], "package.json"));
const { WebSocketServer } = require("ws");
const { useServer } = require("graphql-ws/use/ws");

const server = createServer((_, response) => response.writeHead(404).end());
useServer(
  {
    schema: makeSchema(require("graphql")),
    connectionInitWaitTimeout: 700,
    onConnect: ({ connectionParams }) => connectionParams?.authorization !== "Bearer bad",
  },
  new WebSocketServer({ server, path: "/graphql" }),
);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
