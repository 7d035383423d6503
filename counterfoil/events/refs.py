"""Refs: the names of the things events are about, and the links between them.

A ref is `kind:id`: the kind stands before the first colon, a version behind the last `@`.  Refs
are public and permanent (they stand in the entry), so nobody's name belongs into one: `actor:`
refs are the exception, and an entry holds a pseudonym in their place.

The table, examples and rules for people are in docs/refs.md; vectors in tests/vectors/refs.json.
"""

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from counterfoil.errors import RequestError

ID_BYTES_MAX = 512

_HEX64 = r"[0-9a-f]{64}"
_SEGMENT = r"[^/@#\s]+"
# Control characters and Unicode noncharacters: CloudEvents 1.0 section 3.1 has no place for them.
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ROLE = _KIND


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of ref names, and the form of its id.

    Attributes:
        meaning: one line.
        form: the id as people write it.
        example: a ref of this kind.
        grammar: what the id must match; None if any id will do.
    """

    meaning: str
    form: str
    example: str
    grammar: re.Pattern[str] | None = None


KINDS: dict[str, Kind] = {
    "actor": Kind(
        "a person, a service or an agent, by account; a pseudonym in entries",
        "PROVIDER:ACCOUNT",
        "actor:github.com:ana-dev",
    ),
    "approval": Kind(
        "one request for approval and the answers to it", "any id", "approval:shop-1.4.2-production"
    ),
    "artifact": Kind(
        "bytes that were built, by their SHA-256",
        "sha256:HEX64",
        "artifact:sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427",
        re.compile(rf"sha256:{_HEX64}"),
    ),
    "branch": Kind("a branch of a repository", "OWNER/REPO@NAME", "branch:acme/shop@main"),
    "change": Kind(
        "a pull or merge request", "OWNER/REPO#NUMBER, or any id", "change:acme/shop#118"
    ),
    "checkpoint": Kind(
        "a head of this log: how many entries, and their root",
        "SIZE/HEX64",
        "checkpoint:4711/4b1f0f0a3d5f4c7e9a8b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f",
    ),
    "commit": Kind(
        "a commit of a repository",
        "[HOST/]OWNER/REPO@HEX, 7 to 64 lower-case hexadecimal digits",
        "commit:acme/shop@9fceb02",
        re.compile(rf"(?P<repository>{_SEGMENT}(?:/{_SEGMENT})+)@(?P<hex>[0-9a-f]{{7,64}})"),
    ),
    "deployment": Kind(
        "one act of bringing something into an environment", "any id", "deployment:acme/shop/7001"
    ),
    "env": Kind("an environment", "any id", "env:production"),
    "finding": Kind("anything that needs an owner", "any id", "finding:checkout-total-drift"),
    "gate": Kind(
        "a list of requirements for a thing to enter an environment", "any id", "gate:production"
    ),
    "key": Kind(
        "a signing key of this log: its verifier key without the name",
        "HEX8+BASE64",
        "key:aecc1c65+AS3wQSXwAVr7R86FOu+HcglP+UmMFMsbnhKXPCkn2g+m",
    ),
    "policy": Kind("a set of access policies", "any id", "policy:access"),
    "release": Kind(
        "a named version of a product",
        "NAME@VERSION",
        "release:shop@1.4.2",
        re.compile(r".+@[^@]+"),
    ),
    "repo": Kind("a repository", "[HOST/]OWNER/REPO, or any id", "repo:acme/shop"),
    "review": Kind("one review of a change", "any id", "review:acme/shop#118/80"),
    "run": Kind(
        "one run of a pipeline, a task or a test suite",
        "OWNER/REPO/ID, or any id",
        "run:acme/shop/1874",
    ),
    "session": Kind(
        "a session somebody was let in by, by its id", "any id", "session:9b0d5c6e1f2a3b4c"
    ),
    "signature": Kind(
        "a signature by a key of this log",
        "BASE64",
        "signature:A8b+8PekRpilkcblfmF+4YHHD8r+qx1UEasFhXD6jA4QG8Cwwp8adbiF1tZyECwkYal9j/pG3NdRnJP5sFwJDw==",
    ),
    "team": Kind("a team of actors", "any id", "team:checkout"),
    "test": Kind(
        "a test case, the same over all runs", "any id", "test:tests/test_cart.py::test_total"
    ),
    "ticket": Kind("a ticket in a tracker, an incident too", "any id", "ticket:SHOP-42"),
    "token": Kind("a token that lets a program in, by its id", "any id", "token:4f1d6a0c92be"),
    "trust": Kind("a rule by which jobs of a CI are let in", "any id", "trust:3e9a41c07d58"),
}

# A link is (subject of the event) --role--> (ref).
LINK_ROLES: dict[str, str] = {
    "input": "the subject read or used the ref",
    "output": "the subject made the ref",
    "built-from": "the subject was built from the ref",
    "tested-by": "the subject was tested by the ref",
    "contains": "the ref is part of the subject",
    "merged-as": "the subject (a change) became the ref (a commit)",
    "approves": "the subject (a review, an approval) speaks for the ref",
    "deployed-to": "the subject went to the ref (an environment)",
    "deploys": "the subject (a deployment) brings the ref there",
    "fixes": "the subject is meant to repair the ref",
    "caused-by": "the subject goes back to the ref",
    "part-of": "the subject is part of the ref",
    "parent": "the ref comes right before the subject (a commit's parent)",
}


class Ref(msgspec.Struct, frozen=True):
    """The name of a thing: `kind:id`."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Named(msgspec.Struct, frozen=True):
    """A ref and the role it plays in an event."""

    ref: str
    role: str


class Link(msgspec.Struct, frozen=True):
    """An edge an event states: `source` --role--> `target`, both refs."""

    source: str
    role: str
    target: str


@functools.lru_cache(maxsize=4_096)
def parse_ref(text: str) -> Ref:
    """Read `kind:id`; an unknown kind is accepted with any id.

    Raises:
        RequestError: `ref_invalid`, with the rule that is broken.

    >>> parse_ref("release:shop@1.4.2")
    Ref(kind='release', id='shop@1.4.2')
    """
    kind, colon, ident = text.partition(":")
    if not colon or not _KIND.fullmatch(kind):
        raise _invalid(text, "it must be kind:id, the kind in [a-z][a-z0-9-]{0,31}")
    if not ident or ident != ident.strip():
        raise _invalid(text, "its id is empty, or begins or ends with white space")
    if FORBIDDEN.search(ident):
        raise _invalid(text, "its id holds a control character")
    if len(ident.encode("utf-8")) > ID_BYTES_MAX:
        raise _invalid(text, f"its id is over {ID_BYTES_MAX} bytes")
    known = KINDS.get(kind)
    if known is not None and known.grammar is not None and not known.grammar.fullmatch(ident):
        raise _invalid(text, f"the id of {kind}: must be {known.form}")
    return Ref(kind, ident)


def is_ref(text: str) -> bool:
    """Say whether `text` keeps the grammar of refs."""
    try:
        parse_ref(text)
    except RequestError:
        return False
    return True


@functools.lru_cache(maxsize=256)
def parse_role(text: str) -> str:
    """Return `text` if it is a role: `[a-z][a-z0-9-]{0,31}`.

    Raises:
        RequestError: `ref_invalid`.
    """
    if not _ROLE.fullmatch(text):
        raise RequestError(
            "ref_invalid", f"the role {text[:64]!r} is not in [a-z][a-z0-9-]{{0,31}}"
        )
    return text


def joins(a: str, b: str) -> bool:
    """Say whether two refs name the same thing.

    Commits of one repository join if one's digits begin with the other's (7 at least, by the
    grammar); whether a short one is unique is for whoever holds all of them to say.  Everything
    else joins by equality.

    >>> joins("commit:acme/shop@9fceb02", "commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d6")
    True
    >>> joins("commit:acme/shop@9fceb02", "commit:acme/cart@9fceb02")
    False
    """
    if a == b:
        return True
    one, other = _commit(a), _commit(b)
    if one is None or other is None or one["repository"] != other["repository"]:
        return False
    return one["hex"].startswith(other["hex"]) or other["hex"].startswith(one["hex"])


def safe_id(text: str, limit: int = 200) -> str:
    r"""Return `text` made fit to be the id of a ref; total and repeatable.

    Control characters and noncharacters go, spaces at the ends go, and what is over `limit`
    bytes of UTF-8 is cut and ends with `~` and 16 hexadecimal digits of the SHA-256 of the
    whole, so that two long ids stay two.  Nothing left: `unnamed`.

    Args:
        text: a name given by somebody else, lone surrogates included.
        limit: bytes, 32 at least.

    >>> safe_id("  login\x1b[31m test ")
    'login[31m test'
    """
    assert limit >= 32
    whole = text.encode("utf-8", "surrogatepass")
    clean = FORBIDDEN.sub("", text).strip()
    data = clean.encode("utf-8")
    if len(data) > limit:
        head = data[: limit - 17].decode("utf-8", "ignore")
        clean = f"{head.rstrip()}~{hashlib.sha256(whole).hexdigest()[:16]}"
    return clean or "unnamed"


def links(subject: str | None, refs: Iterable[Named]) -> tuple[Link, ...]:
    """Return the links an event states, in order, each once.

    Args:
        subject: the event's subject; without one that is a ref there are no links.
        refs: the refs the event names; those whose role is in `LINK_ROLES` link.
    """
    if subject is None or not is_ref(subject):
        return ()
    found = (
        Link(subject, named.role, named.ref)
        for named in refs
        if named.role in LINK_ROLES and named.ref != subject
    )
    return tuple(dict.fromkeys(found))


def _commit(text: str) -> re.Match[str] | None:
    grammar = KINDS["commit"].grammar
    assert grammar is not None
    return grammar.fullmatch(text.removeprefix("commit:")) if text.startswith("commit:") else None


def _invalid(text: str, why: str) -> RequestError:
    shown = text[:80]
    return RequestError("ref_invalid", f"{shown!a} is no ref: {why}; see docs/refs.md")
