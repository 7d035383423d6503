"""Where bytes live: adapters to SQLite and the file system that meet the ledger's protocols."""
