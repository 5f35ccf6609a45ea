"""The body of a post: Markdown to safe HTML, plain text, sections."""
