"""Public names for features above categories that link to categories on their pages."""

from ledgerpress.features.categories.category_links_on_pages import (
    Branch,
    category_href,
    category_link,
    category_tree,
)

__all__ = ["Branch", "category_href", "category_link", "category_tree"]
