"""Public notes on published revisions of a post: they are recorded, reworded and retracted in the stream of the post."""
