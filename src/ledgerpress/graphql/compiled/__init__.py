"""Operations compiled to plain Python functions, with the semantics of graphql-core's executor."""
