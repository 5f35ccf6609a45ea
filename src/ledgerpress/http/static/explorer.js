// Shows GraphiQL on this site's GraphQL endpoint, with examples in its first tabs.
"use strict";

const place = document.getElementById("graphiql");
const about = place.dataset;

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

const article = `# An article, its sections and corrections.
# Former slugs lead to it as well.
query Article($slug: String!) {
  article(slug: $slug) {
    title
    publishedAt
    updatedAt
    previousSlugs
    corrections { at note }
    body {
      wordCount
      readingMinutes
      sections { level title anchor }
      text
    }
  }
}
`;

const categories = `# The categories with their counts. Each article
# counts once, however many below hold it.
query Categories {
  categories(first: 100) {
    nodes {
      name
      slug
      articleCount
      ancestors { name }
      children { name articleCount }
    }
  }
}
`;

const edit = `# An edit that is refused, since the post has
# changed since its version 1. The answer says
# which it has now: expect that, and try again.
mutation EditPost($input: PostEditInput!) {
  postEdit(input: $input) {
    position
    post { version status title teaser hasUnpublishedChanges }
    userErrors { code field message currentVersion }
  }
}
`;

const defaultTabs = [
  { query: frontPage },
  { query: article, variables: pretty({ slug: about.slug ?? "the-slug-of-an-article" }) },
  { query: categories },
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
  },
];

function pretty(value) {
  return JSON.stringify(value, null, 2);
}

const create = React.createElement;
const home = create("a", { href: "/", className: "home" }, about.site);
const explorer = create(
  GraphiQL,
  {
    fetcher: GraphiQL.createFetcher({ url: location.pathname, enableIncrementalDelivery: false }),
    defaultTabs,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: false,
  },
  create(GraphiQL.Logo, null, home),
);
ReactDOM.createRoot(place).render(explorer);
