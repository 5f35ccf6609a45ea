// Shows GraphiQL on this site's GraphQL endpoint, with saved examples in its first tabs.
"use strict";

const place = document.getElementById("graphiql");
const about = place.dataset;

// Publications that are mounted under different paths of one origin share its storage: each has keys of its own there.
const storage = storageUnder(about.home);

// A link may bring a token along, as #token=…: a fragment is sent to no server. It is kept for this tab of the
// browser alone, and leaves the address at once, so that it is in no bookmark and no history.
const kept = "ledgerpress-token";
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  storage.setItem(kept, fragment.get("token"));
  fragment.delete("token");
  const rest = fragment.size > 0 ? `#${fragment}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + rest);
}
const token = storage.getItem(kept);
const authorization = token ? { Authorization: `Bearer ${token}` } : {};
const headers = token ? pretty(authorization) : undefined;

const frontPage = `# The front page in one query.
# Ctrl+Enter, or the button, sends it.
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

const article = `# An article as readers see it, and all that was
# ever done to it. The history is for staff: put
# a token into the tab Headers, or add #token=… to
# the address of this page.
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
# recorded time of events: what the store would
# have answered then. The past is for staff.
query FrontPageLastWeek($then: AsOf!) {
  moment(asOf: $then) { position time }
  recentPosts(first: 6, asOf: $then) {
    totalCount
    nodes { title age categories { name } }
  }
}
`;

const edit = `# An edit that conflicts: it was made for version 1
# of the post, which has changed since. Nothing is
# changed, and the answer says which version it has
# now: expect that one, and send it again.
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
  { query: article, variables: pretty({ slug: about.slug ?? "the-slug-of-an-article" }), headers },
  { query: lastWeek, variables: pretty({ then: { time: new Date(Date.now() - aWeek).toISOString() } }), headers },
  {
    query: edit,
    variables: pretty({
      input: {
        id: about.post ?? "the id of a post",
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
  // Tabs that were kept from an earlier visit have lost their headers, which are not stored with them.
  headers: authorization,
  enableIncrementalDelivery: false,
});

function fetcher(params, options) {
  return isSubscription(params.operationName, options?.documentAST)
    ? subscription(params, options.headers)
    : fetchOnce(params, options);
}

function isSubscription(name, document) {
  const operations = document?.definitions.filter((one) => one.kind === "OperationDefinition") ?? [];
  return operations.some((one) => one.operation === "subscription" && (!name || one.name?.value === name));
}

// An observable of the results of a subscription, which come as server-sent events.
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
const home = create("a", { href: about.home, className: "home" }, about.site);
const explorer = create(
  GraphiQL,
  {
    fetcher,
    defaultTabs,
    defaultHeaders: headers,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false,
    // GraphiQL's history of queries keeps their headers, whatever that setting says: let it end with the tab.
    storage,
  },
  create(GraphiQL.Logo, null, home),
);
ReactDOM.createRoot(place).render(explorer);
