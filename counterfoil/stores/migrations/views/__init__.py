"""Revisions of views.db."""
