// Show an article as it is now and as it was, with a caching client, in both orders. Print what the client then has.
//   node client_caches.mjs PACKAGES URL CLIENT ORDER SLUG POSITION
// CLIENT is apollo, urql or relay. ORDER is now-first or past-first.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, url, client, order, slug, position] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));

const NOW = "query Now($slug: String!) { article(slug: $slug) { __typename id title } }";
const PAST =
  "query Past($slug: String!, $position: Position!) { article(slug: $slug, asOf: { position: $position }) { __typename id title } }";
const NODE = "query Node($id: ID!) { node(id: $id) { __typename id ... on Article { title } } }";

/** Each client offers: show(query, variables), which reads through the cache; cached(query, variables), which reads
 *  only the cache; refetch(id), which reads an object from the server by its id. All return the object. */
const clients = {
  async apollo() {
    const { ApolloClient, HttpLink, InMemoryCache, gql } = await load("@apollo/client/core");
    const apollo = new ApolloClient({
      link: new HttpLink({ uri: url, fetch }),
      cache: new InMemoryCache({ possibleTypes: { Node: ["Article"] } }),
    });
    const objectIn = ({ article, node }) => article ?? node;
    return {
      show: async (query, variables) => objectIn((await apollo.query({ query: gql(query), variables })).data),
      cached: async (query, variables) => objectIn(apollo.readQuery({ query: gql(query), variables })),
      refetch: async (id) =>
        objectIn((await apollo.query({ query: gql(NODE), variables: { id }, fetchPolicy: "network-only" })).data),
    };
  },

  async urql() {
    const { Client, fetchExchange } = await load("@urql/core");
    const { cacheExchange } = await load("@urql/exchange-graphcache");
    const urql = new Client({ url, preferGetMethod: false, fetch, exchanges: [cacheExchange({}), fetchExchange] });
    const run = async (query, variables, requestPolicy) => {
      const { data, error } = await urql.query(query, variables, { requestPolicy }).toPromise();
      if (error) throw error;
      return data.article ?? data.node;
    };
    return {
      show: (query, variables) => run(query, variables, "cache-first"),
      cached: (query, variables) => run(query, variables, "cache-only"),
      refetch: (id) => run(NODE, { id }, "network-only"),
    };
  },

  async relay() {
    const runtime = (await load("relay-runtime")).default;
    const { Environment, Network, RecordSource, Store, createOperationDescriptor, fetchQuery } = runtime;
    const environment = new Environment({
      store: new Store(new RecordSource()),
      network: Network.create(async ({ text, name }, variables) => {
        const body = JSON.stringify({ query: text, operationName: name, variables });
        const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
        return response.json();
      }),
    });
    const run = async (query, variables, fetchPolicy) =>
      Object.values(await fetchQuery(environment, compiled(query), variables, { fetchPolicy }).toPromise())[0];
    return {
      show: (query, variables) => run(query, variables, "store-or-network"),
      cached: async (query, variables) => {
        const operation = createOperationDescriptor(compiled(query), variables);
        return Object.values(environment.lookup(operation.fragment).data)[0];
      },
      refetch: (id) => run(NODE, { id }, "network-only"),
    };
  },
};

/** Return what Relay's compiler makes of one of the queries above. */
function compiled(text) {
  const name = /query (\w+)/.exec(text)[1];
  const types = { slug: "String!", position: "Position!", id: "ID!" };
  const variable = (variableName) => ({ kind: "Variable", name: variableName, variableName });
  const asOf = { kind: "ObjectValue", name: "asOf", fields: [variable("position")] };
  const shape = {
    Now: { names: ["slug"], field: "article", args: [variable("slug")] },
    Past: { names: ["slug", "position"], field: "article", args: [asOf, variable("slug")] },
    Node: { names: ["id"], field: "node", args: [variable("id")] },
  }[name];
  const scalar = (field) => ({ alias: null, args: null, kind: "ScalarField", name: field, storageKey: null });
  const title = { kind: "InlineFragment", type: "Article", abstractKey: null, selections: [scalar("title")] };
  const selections = [
    {
      alias: null,
      args: shape.args,
      concreteType: name === "Node" ? null : "Article",
      kind: "LinkedField",
      name: shape.field,
      plural: false,
      storageKey: null,
      selections: [scalar("__typename"), scalar("id"), name === "Node" ? title : scalar("title")],
    },
  ];
  const argumentDefinitions = shape.names.map((argument) => ({
    defaultValue: null, kind: "LocalArgument", name: argument, type: types[argument],
  }));
  return {
    kind: "Request",
    fragment: { argumentDefinitions, kind: "Fragment", metadata: null, name, selections, type: "Query", abstractKey: null },
    operation: { argumentDefinitions, kind: "Operation", name, selections },
    params: { cacheID: name, id: null, metadata: {}, name, operationKind: "query", text },
  };
}

const { show, cached, refetch } = await clients[client]();
const now = [NOW, { slug }];
const past = [PAST, { slug, position: Number(position) }];
for (const [query, variables] of order === "now-first" ? [now, past] : [past, now]) await show(query, variables);
const [current, old] = [await cached(...now), await cached(...past)];
const refetched = await refetch(old.id);
console.log(JSON.stringify({ now: current, past: old, refetched, nowAfterRefetch: await cached(...now) }));
process.exit(0);
