// Shows GraphiQL on this site's GraphQL endpoint, with saved examples in its first tabs.
"use strict";

const place = document.getElementById("graphiql");
const about = place.dataset;

// A link may bring a token along, as #token=…: a fragment is sent to no server. It is kept for this tab of the
// browser alone, and leaves the address at once, so that it is in no bookmark and no history.
const kept = "ledgerpress-token";
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  sessionStorage.setItem(kept, fragment.get("token"));
  fragment.delete("token");
  const rest = fragment.size > 0 ? `#${fragment}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + rest);
}
const token = sessionStorage.getItem(kept);
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

const create = React.createElement;
const home = create("a", { href: about.home, className: "home" }, about.site);
const explorer = create(
  GraphiQL,
  {
    // Tabs that were kept from an earlier visit have lost their headers, which are not stored with them.
    fetcher: GraphiQL.createFetcher({
      url: location.pathname,
      headers: authorization,
      enableIncrementalDelivery: false,
    }),
    defaultTabs,
    defaultHeaders: headers,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false,
    // GraphiQL's history of queries keeps their headers, whatever that setting says: let it end with the tab.
    storage: sessionStorage,
  },
  create(GraphiQL.Logo, null, home),
);
ReactDOM.createRoot(place).render(explorer);
