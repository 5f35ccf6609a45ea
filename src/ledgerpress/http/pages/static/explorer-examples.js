// The examples in the first tabs of GraphiQL. `examplesFor` returns them for the objects that the page names.
"use strict";

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

const article = `# An article as readers see it, with its public
# corrections, and its complete history. Outside
# the demo, the history is for staff: enter a
# token in the tab Headers, or add #token=… to
# the address of this page.
query ArticleWithHistory($slug: String!) {
  article(slug: $slug) {
    title
    publishedAt
    updatedAt
    corrections { at kind note }
    body { wordCount readingMinutes }
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

const nowAndThen = `# An article and the front page, now and then.
# Every query takes asOf: a time, or a position
# of the log. Outside the demo, the past is for
# staff, unless the server opens it.
query NowAndThen($article: ID!, $then: AsOf!) {
  now: article(id: $article) {
    ...Headline
  }
  then: article(id: $article, asOf: $then) {
    ...Headline
  }
  frontPageNow: recentPosts(first: 3) {
    ...Titles
  }
  frontPageThen: recentPosts(first: 3, asOf: $then) {
    ...Titles
  }
}

fragment Headline on Article {
  title
  slug
  updatedAt
  corrections { at kind note }
  teaser
  body { wordCount }
}

fragment Titles on ArticleConnection {
  totalCount
  nodes { title }
}
`;

const live = `# Every change of the newsroom, live: the last
# five, then each new one when it is recorded.
# The result shows the latest. The button that
# starts this also stops it.
#
# To see a change arrive, leave this running, and
# run EditAndPublish in a second window: open the
# link with #token=… that the server printed.
#
# Outside the demo, changes are for staff.
subscription LiveChanges($after: Position) {
  changes(fromPosition: $after) {
    position
    type
    recordedAt
    actor { name }
    subject {
      __typename
      ... on Post { title version }
    }
    reason
    changedFields
  }
}
`;

const edit = `# Edit an article and publish the edit. A window
# that runs LiveChanges shows the events.
mutation EditAndPublish($input: PostEditInput!) {
  postEdit(input: $input) {
    position
    post { version title teaser }
    userErrors { code field message }
  }
}
`;

const conflict = `# An edit that conflicts: it expects version 1 of
# the post, but the post has changed since. So
# nothing is recorded, and the response contains
# the current version. To edit the post, expect
# that version.
mutation ConflictingEdit($input: PostEditInput!) {
  postEdit(input: $input) {
    position
    post { version title teaser hasUnpublishedChanges }
    userErrors { code field message currentVersion }
  }
}
`;

const aWeek = 7 * 24 * 60 * 60 * 1000;
const changesShownFirst = 5;

// Return the examples. `page` has the attributes of the page. Examples that change something need a token.
globalThis.examplesFor = (page, hasToken) => {
  const articleId = page.article ?? "the id of an article";
  const postId = page.article ?? "the id of a post";
  const then = page.then ?? new Date(Date.now() - aWeek).toISOString();
  const queries = [
    [frontPage],
    [article, { slug: page.slug ?? "the-slug-of-an-article" }],
    [nowAndThen, { article: articleId, then: { time: then } }],
    [live, { after: Math.max(0, page.position - changesShownFirst) }],
  ];
  const mutations = [
    [edit, { input: { id: postId, teaser: "A teaser from the explorer.", publish: true, reason: "Trying out an edit" } }],
    [conflict, { input: { id: postId, expectedVersion: 1, teaser: "Another teaser.", reason: "Trying out a conflict" } }],
  ];
  return hasToken ? [...queries, ...mutations] : queries;
};
