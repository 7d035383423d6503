"""The crash simulator: the ledger's own code on a disk that loses power, one seed a history.

For the tests of Counterfoil and for whoever wants to try a change of it, or a part of his own.  A
history is made from a seed and from nothing else: clients that send, repeat and contradict, a
process that commits, exports and closes, and a disk under it that forgets what was not synced,
tears it, reorders it, fails or is full; kills, second processes, restored backups, clocks that
step.  After every start everything outsiders hold is compared with what stands there.

    disk        the bytes: what processes read, what would survive a power cut
    calls       one process's system calls, and the fault that strikes among them
    vfs         SQLite's files on that disk (apsw)
    driver      the ledger's statements over apsw
    files       the exporter's calls
    process     one server process: the ledger, stepped
    evidence    what outsiders keep, and what must never contradict it
    check_log   everything stored, read by other statements and recomputed
    history     one seed, from the first start to the last check
    replay      python -m counterfoil.testing.replay SEED

It needs apsw, which brings its own SQLite: that engine is the one simulated here.  The product
does not import this package.
"""
