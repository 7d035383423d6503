"""The transparency log formats: hashes, signatures and the text around them, and nothing else.

Pure functions from bytes to values and verdicts: no I/O, no clock, no configuration.  Everything
an outsider needs in order to check a ledger without trusting it is in this package, so it
imports hashlib, `cryptography` and `counterfoil.errors` only.  docs/adr/0002 says why the
formats are C2SP's, unchanged.

Read from the bottom: `strict` (text), `tree`, `proof`, `tile`, `entries` (hashes), `signature`,
`keys`, `cosignature`, `note`, `checkpoint` (signatures), `receipt`, `policy` (what people hold).
"""
