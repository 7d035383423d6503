"""Counterfoil: who did what in QA and release, and proof that nobody rewrote it."""

__version__ = "0.1.0"
