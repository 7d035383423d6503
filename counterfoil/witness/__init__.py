"""A small witness: it cosigns checkpoints of other people's logs, and never two histories of one.

It shares no state with a ledger.  `book` keeps what was seen, `server` answers; the decision is
`counterfoil.tlog.witness`.
"""
