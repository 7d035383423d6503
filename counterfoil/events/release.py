"""Releases: named versions, from the word that they exist to their withdrawal."""

from counterfoil.events.kinds import EventType, own_type

_DIGEST = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"


def _release(predicate: str, meaning: str, title: str) -> EventType:
    return own_type(
        f"release.{predicate}",
        noun="release",
        meaning=meaning,
        title=title,
        row="releases",
        subject="release:shop@1.4.2",
        data={
            "tag": "v1.4.2",
            "title": "1.4.2: totals that add up",
            "draft": False,
            "prerelease": False,
            "url": "https://github.com/acme/shop/releases/tag/v1.4.2",
        },
        named=(
            ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "built-from"),
            (f"artifact:sha256:{_DIGEST}", "contains"),
            ("actor:github.com:ana-dev", "author"),
        ),
        members={
            "tag": "the tag it stands on",
            "title": "what it is called, free text",
            "draft": "true while it is not public",
            "prerelease": "true if its author calls it that",
            "assets": "names of the files that come with it",
            "target_commitish": "branch or commit it was made from, in the host's words",
            "published_at": "when it was published, RFC 3339",
            "url": "where people look at it",
            "event, action": "the delivery's kind and action, in the host's words",
        },
        refs={
            "built-from": "the `commit:` it was made from",
            "contains": "the `artifact:`, `commit:` and `change:` refs in it",
            "about": "the `repo:`",
            "author": "the `actor:` who wrote it",
        },
    )


TYPES = (
    _release("published", "A release is there for those it is for.", "published {thing}"),
    _release("edited", "The words about a release changed.", "edited {thing}"),
    _release("withdrawn", "A release was taken back.", "withdrew {thing}"),
)
