"""The HTTP side: calls as data (`api`), pages, sign-in, and the server that runs them."""
