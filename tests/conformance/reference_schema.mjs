// The schema of the reference servers, with an operation of each kind whose results are known.
export function makeSchema(graphql) {
  const { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema } = graphql;
  const position = new GraphQLObjectType({
    name: "Position",
    fields: { position: { type: new GraphQLNonNull(GraphQLInt) } },
  });
  let touched = 0;
  return new GraphQLSchema({
    query: new GraphQLObjectType({
      name: "Query",
      fields: {
        moment: { type: position, resolve: () => ({ position: 1 }) },
      },
    }),
    mutation: new GraphQLObjectType({
      name: "Mutation",
      fields: { touch: { type: GraphQLInt, resolve: () => ++touched } },
    }),
    subscription: new GraphQLObjectType({
      name: "Subscription",
      fields: {
        three: { type: position, resolve: (value) => value, subscribe: three },
        silent: { type: position, resolve: (value) => value, subscribe: silent },
        endless: { type: position, resolve: (value) => value, subscribe: endless },
      },
    }),
  });
}

async function* three() {
  for (let number = 1; number <= 3; number++) yield { position: number };
}

async function* endless() {
  for (let number = 1; ; number++) {
    yield { position: number };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function silent() {
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => ended,
    return: async () => {
      end({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
    throw: async (error) => {
      end({ done: true, value: undefined });
      throw error;
    },
  };
}
