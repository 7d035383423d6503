"""A ledger filled from real data: captured deliveries and reports, this project's own history.

What reality does not hand over is made up in `story`, under a source of its own, and says so.
"""
