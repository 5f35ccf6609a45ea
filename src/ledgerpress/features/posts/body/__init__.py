"""Bodies of posts: Markdown, and the safe HTML, plain text and sections derived from it."""
