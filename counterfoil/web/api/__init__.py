"""The calls of the HTTP API: one module per noun, each with its `ROUTES`; `table` joins them."""
