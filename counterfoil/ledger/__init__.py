"""The ledger: bytes in, an index and a receipt out, in an order that is the specification.

It knows trees, keys and storage promises; it does not know what an event means.
docs/life-of-an-event.md walks through it line by line.
"""
