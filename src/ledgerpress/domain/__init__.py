"""What may happen to posts, categories, authors, actors, slugs and the site: pure rules, no clock and no I/O."""
