"""Output for people: events as blocks of lines, field differences in color, and a pager."""
