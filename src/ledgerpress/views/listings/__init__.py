"""Listings as of any position: a multiversion B-tree of memberships."""
