"""The only wiring: opens a ledger directory, records events, follows the log, answers reads."""
