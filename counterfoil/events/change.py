"""Changes: pull and merge requests, and what became of them."""

from collections.abc import Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.kinds import cdevents_type

_SUBJECT = "change:acme/shop#118"
_HEAD = "commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8"
_MERGE = "commit:acme/shop@5d1b2c7e90aa47f3b6d4c1e8f29a07b3c4d5e6f7"
_REPOSITORY: dict[str, JSON] = {"id": "acme/shop", "source": "https://github.com"}
_TITLE = "Round the cart total once"
_CONTENT: Mapping[str, JSON] = {"description": _TITLE, "repository": _REPOSITORY}
_MEMBERS = {
    "description": "the title of the change",
    "repository.id": "the repository it belongs to",
}
_REFS = {
    "contains": "the `commit:` that is its head",
    "target": "the `branch:` it is for",
    "about": "the `repo:` it belongs to",
    "author": "the `actor:` who proposed it",
}
_NAMED = ((_HEAD, "contains"), ("branch:acme/shop@main", "target"))

TYPES = (
    cdevents_type(
        "change.created.0.4.0",
        noun="change",
        meaning="A change was proposed.",
        title="proposed {thing}[: {content.description}]",
        row="changes",
        ident="acme/shop#118",
        subject=_SUBJECT,
        content=_CONTENT,
        named=(*_NAMED, ("actor:github.com:ana-dev", "author")),
        members=_MEMBERS,
        refs=_REFS,
    ),
    cdevents_type(
        "change.updated.0.3.0",
        noun="change",
        meaning="A change was edited, or got another head commit.",
        title="updated {thing}[: {content.description}]",
        row="changes",
        ident="acme/shop#118",
        subject=_SUBJECT,
        content={"repository": _REPOSITORY},
        named=_NAMED,
        custom={"action": "synchronize", "head_sha": "9fceb02d0ae598e95dc970b74767f19372d61af8"},
        members={
            **_MEMBERS,
            "customData.action": "what exactly was done, in the source's word",
            "customData.head_sha": "the head commit as the source has it",
        },
        refs=_REFS,
    ),
    cdevents_type(
        "change.reviewed.0.3.0",
        noun="change",
        meaning="Somebody looked at a change and said what they think of it.",
        title="reviewed {thing}[: {review}]",
        row="changes",
        ident="acme/shop#118",
        subject=_SUBJECT,
        content=_CONTENT,
        named=(
            ("review:acme/shop#118/80", "about"),
            (_HEAD, "reviewed"),
            ("actor:github.com:bo-dev", "reviewer"),
        ),
        custom={"review_id": 80, "review_state": "approved"},
        members={
            **_MEMBERS,
            "customData.review_id": "the review's number at its host",
            "customData.review_state": "`approved`, `changes_requested`, `commented` or "
            "`dismissed`; CDEvents has no member for it",
        },
        refs={
            **_REFS,
            "about": "the `review:` itself, and the `repo:`",
            "reviewed": "the `commit:` that was looked at",
            "reviewer": "the `actor:` who did",
        },
    ),
    cdevents_type(
        "change.merged.0.3.0",
        noun="change",
        meaning="A change became part of its target branch.",
        title="merged {thing}[: {content.description}]",
        row="changes",
        ident="acme/shop#118",
        subject=_SUBJECT,
        content=_CONTENT,
        named=(*_NAMED, (_MERGE, "merged-as")),
        members=_MEMBERS,
        refs={**_REFS, "merged-as": "the `commit:` it became", "merged-by": "the `actor:`"},
    ),
    cdevents_type(
        "change.abandoned.0.3.0",
        noun="change",
        meaning="A change was closed without becoming part of its target branch.",
        title="abandoned {thing}[: {content.description}]",
        row="changes",
        ident="acme/shop#118",
        subject=_SUBJECT,
        content={"repository": _REPOSITORY},
        named=_NAMED,
        members=_MEMBERS,
        refs=_REFS,
    ),
)
