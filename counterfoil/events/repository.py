"""Repositories and their branches, and what else a code host tells about them."""

from counterfoil.events.kinds import LISTED, EventType, cdevents_type, own_type


def _repository(predicate: str, meaning: str, title: str) -> EventType:
    return cdevents_type(
        f"repository.{predicate}.0.3.0",
        noun="repository",
        meaning=meaning,
        title=title,
        row=LISTED,
        ident="acme/shop",
        subject="repo:acme/shop",
        content={"name": "shop", "owner": "acme", "uri": "https://git.example/acme/shop"},
        members={
            "name": "the repository's short name",
            "owner": "the account or group it belongs to",
            "uri": "where it is cloned from",
            "viewUrl": "where people look at it",
        },
    )


def _branch(predicate: str, meaning: str, title: str) -> EventType:
    return cdevents_type(
        f"branch.{predicate}.0.3.0",
        noun="repository",
        meaning=meaning,
        title=title,
        row=LISTED,
        ident="acme/shop@release-1.4",
        subject="branch:acme/shop@release-1.4",
        content={"repository": {"id": "acme/shop", "source": "https://github.com"}},
        named=(("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "about"),),
        members={"repository.id": "the repository it belongs to"},
        refs={"about": "the `repo:` it belongs to, and the `commit:` at its tip"},
    )


TYPES = (
    _repository("created", "A repository came into being.", "created {thing}"),
    _repository("modified", "A repository or its settings changed.", "modified {thing}"),
    _repository("deleted", "A repository is gone.", "deleted {thing}"),
    _branch("created", "A branch came into being.", "created {thing}"),
    _branch("deleted", "A branch is gone.", "deleted {thing}"),
    own_type(
        "repository.event",
        noun="repository",
        meaning="A signed delivery of a kind that is kept whole, but not interpreted.",
        title="sent a delivery[: {data.event}][ {data.action}][, about {thing}]",
        row=LISTED,
        subject="repo:acme/shop",
        data={"event": "member", "action": "added"},
        named=(("repo:acme/shop", "about"),),
        members={
            "event": "what kind of delivery it is, in the host's word",
            "action": "what was done, in the host's word",
            "state, environment, comment": "as the payload has them",
            "blobs": "the delivery as it came",
        },
        refs={"about": "what the payload names: `run:`, `commit:`, `env:`, `actor:`"},
    ),
)
