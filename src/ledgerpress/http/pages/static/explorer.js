// Show GraphiQL for the GraphQL endpoint of this site, with examples in its first tabs.
"use strict";

const { GraphiQL, TabFocus, createElement: h, createGraphiQLFetcher, createRoot, createSseClient, editors, parse } = GraphiQLBundle;
const root = document.getElementById("graphiql");
const page = root.dataset;

// Publications under different paths of one origin share its storage, so each uses keys of its own.
const storage = storageUnder(page.home);

// A link can contain a token, as #token=…: browsers never send a fragment to a server. The token is stored for this tab
// only, and is removed from the address at once, so that it does not get into bookmarks or the history.
const tokenKey = "ledgerpress-token";
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  storage.setItem(tokenKey, fragment.get("token"));
  fragment.delete("token");
  const rest = fragment.size > 0 ? `#${fragment}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + rest);
}
const token = storage.getItem(tokenKey);
const authorization = token ? { Authorization: `Bearer ${token}` } : {};
const headers = token ? pretty(authorization) : undefined;

const defaultTabs = examplesFor(page, Boolean(token)).map(([query, variables]) => ({
  query,
  variables: variables && pretty(variables),
  headers,
}));

function pretty(value) {
  return JSON.stringify(value, null, 2);
}

function storageUnder(path) {
  const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(`${path} `));
  return {
    getItem: (key) => sessionStorage.getItem(`${path} ${key}`),
    setItem: (key, value) => sessionStorage.setItem(`${path} ${key}`, value),
    removeItem: (key) => sessionStorage.removeItem(`${path} ${key}`),
    clear: () => keys().forEach((key) => sessionStorage.removeItem(key)),
    get length() {
      return keys().length;
    },
  };
}

const fetchOnce = createGraphiQLFetcher({
  url: location.pathname,
  // Tabs from an earlier visit have no headers: GraphiQL does not store headers with tabs.
  headers: authorization,
  // The server sends each result as a whole.
  enableIncrementalDelivery: false,
});

function fetcher(params, options) {
  const operations = operationsIn(params.query);
  const named = operations.find((operation) => operation.name?.value === params.operationName);
  // GraphiQL learns after a delay which operations are in the editor. Until then, it sends the former name.
  const operation = named ?? (operations.length === 1 ? operations[0] : undefined);
  if (!operation && operations.length > 1) {
    const names = operations.map(({ name }) => name?.value ?? "(without a name)").join(", ");
    return Promise.resolve({ errors: [{ message: `Choose the operation to execute: ${names}.` }] });
  }
  const request = operation ? { ...params, operationName: operation.name?.value } : params;
  return operation?.operation === "subscription"
    ? subscription(request, options?.headers)
    : fetchOnce(request, { ...options, documentAST: undefined });
}

// Return the operations in a document. The server reports what is wrong with a document that cannot be parsed.
function operationsIn(document) {
  try {
    return parse(document, { noLocation: true }).definitions.filter((node) => node.kind === "OperationDefinition");
  } catch {
    return [];
  }
}

// Return an observable of the results of a subscription, which arrive as server-sent events.
function subscription(params, ownHeaders) {
  const client = createSseClient({ url: location.pathname, headers: { ...authorization, ...ownHeaders } });
  return {
    subscribe(observer) {
      const unsubscribe = client.subscribe(params, {
        next: (result) => observer.next(result),
        error: (reason) => report(reason, observer),
        complete: () => observer.complete(),
      });
      return { unsubscribe };
    },
  };
}

// A request that the server rejects has a response with errors, such as an invalid token.
async function report(reason, observer) {
  try {
    observer.next(await reason.response.json());
    observer.complete();
  } catch {
    observer.error(reason);
  }
}

// The key Tab leaves an editor (WCAG 2.2, 2.1.2). Ctrl+M in an editor switches this off and on.
TabFocus.setTabFocusMode(true);

// The same width as in explorer.css.
const isNarrow = matchMedia("(max-width: 700px)").matches;
const optionsOfNarrowEditors = { fontSize: 13, lineNumbers: "off", folding: false, lineDecorationsWidth: 0 };
editors.onDidCreateEditor((editor) => {
  editor.updateOptions({ wordWrap: "on", ...(isNarrow && optionsOfNarrowEditors) });
  // The focus stops at the element around an editor, which GraphiQL does not name.
  const container = editor.getContainerDomNode();
  const name = container.closest("[aria-label]")?.ariaLabel ?? "Editor";
  container.role = "group";
  container.ariaLabel = `${name}: Enter goes in, Tab goes out`;
});

const home = h("a", { href: page.home, className: "home", dir: "auto" }, page.site);
const explorer = h(
  GraphiQL,
  {
    fetcher,
    defaultTabs,
    defaultHeaders: headers,
    defaultEditorToolsVisibility: isNarrow ? false : "variables",
    shouldPersistHeaders: false,
    // Despite that setting, GraphiQL's query history stores headers. This storage ends with the tab.
    storage,
  },
  h(GraphiQL.Logo, null, home),
);
createRoot(root).render(explorer);
