"""Events: what happened, in whose name, about which things, and how that becomes an entry.

Pure: bytes and values in, values and bytes out.  Keys, salts and pseudonyms are arguments; no
I/O, no clock, no randomness.  One module per noun holds that noun's event types; `registry`
puts them together.
"""
