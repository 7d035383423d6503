"""Pure folds of the log into rows: one module per noun, no I/O, no clock."""
