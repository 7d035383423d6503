"""Revisions of state.db."""
