// Show GraphiQL for the GraphQL endpoint of this site, with examples in its first tabs.
"use strict";

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

const frontPage = `# The front page in one query.
# Press Ctrl+Enter or the button to send it.
query FrontPage {
  site { name position }
  recentPosts(first: 6) {
    totalCount
    nodes {
      title
      teaser
      age
      authors { name }
      categories { name }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const article = `# An article as readers see it, and its complete
# history. The history is for staff: enter a token
# in the tab Headers, or add #token=… to the
# address of this page.
query ArticleWithHistory($slug: String!) {
  article(slug: $slug) {
    title
    publishedAt
    updatedAt
    corrections { at note }
    body { wordCount readingMinutes text }
  }
  post(slug: $slug) {
    version
    history(first: 20) {
      totalCount
      nodes {
        version
        type
        recordedAt
        actor { name }
        reason
        changedFields
      }
    }
  }
}
`;

const lastWeek = `# The front page as it was a week ago, by the
# recorded time of events. Reading the past is
# for staff.
query FrontPageLastWeek($then: AsOf!) {
  moment(asOf: $then) { position time }
  recentPosts(first: 6, asOf: $then) {
    totalCount
    nodes { title age categories { name } }
  }
}
`;

const edit = `# An edit that conflicts: it expects version 1 of
# the post, but the post has changed since. Nothing
# is recorded, and the response contains the current
# version. To edit the post, expect that version.
mutation ConflictingEdit($input: PostEditInput!) {
  postEdit(input: $input) {
    position
    post { version title teaser hasUnpublishedChanges }
    userErrors { code field message currentVersion }
  }
}
`;

const aWeek = 7 * 24 * 60 * 60 * 1000;

const defaultTabs = [
  { query: frontPage, headers },
  { query: article, variables: pretty({ slug: page.slug ?? "the-slug-of-an-article" }), headers },
  { query: lastWeek, variables: pretty({ then: { time: new Date(Date.now() - aWeek).toISOString() } }), headers },
  {
    query: edit,
    variables: pretty({
      input: {
        id: page.post ?? "the id of a post",
        expectedVersion: 1,
        teaser: "A teaser from the explorer.",
        reason: "Trying out an edit",
      },
    }),
    headers,
  },
];

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

const fetchOnce = GraphiQL.createFetcher({
  url: location.pathname,
  // Tabs from an earlier visit have no headers: GraphiQL does not store headers with tabs.
  headers: authorization,
  enableIncrementalDelivery: false,
});

function fetcher(params, options) {
  return isSubscription(params.operationName, options?.documentAST)
    ? subscription(params, options.headers)
    : fetchOnce(params, options);
}

function isSubscription(name, document) {
  const operations = document?.definitions.filter((node) => node.kind === "OperationDefinition") ?? [];
  return operations.some((node) => node.operation === "subscription" && (!name || node.name?.value === name));
}

// Return an observable of the results of a subscription, which arrive as server-sent events.
function subscription(params, ownHeaders) {
  return {
    subscribe(observer) {
      const stop = new AbortController();
      readEvents(params, ownHeaders, stop.signal, (result) => observer.next(result)).then(
        () => observer.complete(),
        (reason) => stop.signal.aborted || observer.error(reason),
      );
      return { unsubscribe: () => stop.abort() };
    },
  };
}

async function readEvents(params, ownHeaders, signal, next) {
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream", ...authorization, ...ownHeaders },
    body: JSON.stringify(params),
    signal,
  });
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    next(await response.json());
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: ?(.*)/, 2)));
      if (fields.event === "complete") {
        return;
      }
      if (fields.event === "next") {
        next(JSON.parse(fields.data));
      }
    }
  }
}

const create = React.createElement;
const home = create("a", { href: page.home, className: "home", dir: "auto" }, page.site);
const explorer = create(
  GraphiQL,
  {
    fetcher,
    defaultTabs,
    defaultHeaders: headers,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false,
    // Despite that setting, GraphiQL's query history stores headers. This storage ends with the tab.
    storage,
  },
  create(GraphiQL.Logo, null, home),
);
ReactDOM.createRoot(root).render(explorer);
