"""Commits: what was written down in a repository."""

from counterfoil.events.kinds import own_type

TYPES = (
    own_type(
        "commit.pushed",
        noun="commit",
        meaning="A commit arrived in a repository, or was found in its history.",
        title="pushed {thing}[ to {data.branch}][: {data.message}]",
        row="commits",
        subject="commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8",
        data={
            "branch": "main",
            "message": "Round the cart total once",
            "committed": "2026-11-20T11:58:40.000Z",
            "author": {"name": "Ana Dev", "email": "ana@shop.example"},
            "forced": False,
        },
        named=(
            ("commit:acme/shop@1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "parent"),
            ("branch:acme/shop@main", "about"),
            ("repo:acme/shop", "about"),
            ("actor:github.com:ana-dev", "author"),
        ),
        members={
            "branch": "the branch it was pushed to",
            "message": "the first line of the commit message",
            "committed": "the committer's clock, RFC 3339; `time` is when it was pushed",
            "authored": "the author's clock, RFC 3339",
            "author.name, author.email": "the author as the commit says; personal",
            "committer.name, committer.email": "the committer as the commit says; personal",
            "parents": "hex ids of the commits before it",
            "before, after": "the branch's tip before and after the push",
            "forced": "true if the push rewrote the branch",
            "commits": "how many commits the push brought",
            "created, deleted": "true if the push made or removed the branch",
            "tree": "hex id of its tree",
            "files": "how many files it added, removed and modified",
            "url": "where people look at it",
            "event, action": "the delivery's kind and action, in the host's words",
        },
        refs={
            "parent": "the `commit:` right before it",
            "about": "the `branch:` and the `repo:`",
            "author": "the `actor:` who wrote it",
            "committer": "the `actor:` who committed it",
        },
        personal=("/author/name", "/author/email", "/committer/name", "/committer/email"),
    ),
)
