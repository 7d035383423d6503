"""Outside bytes -> events.

One module or package per kind of sender.  Sources are pure: bytes and what the caller knows in,
events out; they see neither storage nor the network, and no two of them know each other.  What a
source may say about who acted: docs/adr/0009.
"""
