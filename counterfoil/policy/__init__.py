"""Who may do what: pure decisions with their reasons, asked before anything is done."""
