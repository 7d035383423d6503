"""Every page there is, now and in the past, over the story of `conftest`."""

# The entry of `conftest` with an evidence file that is here and one that is not.
FILES = "/entries/8"
PATHS = (
    "/", "/runs", "/run?ref=run:acme/shop/1", "/test?ref=test:t::test_refund", "/releases",
    "/release?ref=release:shop@1.4.2", "/log", "/entries/1", "/entries/3",
    "/changed?ref=run:acme/shop/2", "/changed?ref=release:shop@1.4.2&since=1", "/changed?since=0",
    "/?as_of=1", "/log?as_of=1970-01-01T00:00:00Z", "/run?ref=run:acme/shop/1&as_of=1",
    "/changed?ref=release:shop@1.4.2", "/search", "/search?q=outcome:failed", "/search/everywhere",
    "/search/everywhere?q=actor:ana", "/sign-in", "/health",
    FILES, f"{FILES}/files/0",
    "/admin", "/admin/people", "/admin/import", "/admin/person?handle=ana", "/admin/person?handle=shop-nightly",
    "/admin/teams", "/admin/accounts", "/admin/roles", "/admin/tokens", "/admin/trust",
    "/admin/sessions", "/admin/sessions?as_of=8",
    "/admin/policies", "/admin/explain", "/admin/explain?actor=bo&verb=gate&in=default",
    "/admin/explain?actor=bo&verb=record&in=default", "/admin/roles?as_of=8",
    "/admin/asked", "/admin/retention", "/admin/retention?as_of=8",
)  # fmt: skip
MISSING = "/release?ref=release:none@1"
DEAD_LINK = f"/sign-in?token={'0' * 64}"
