"""Answer a repeated anonymous query from the response cache without parsing it again."""
