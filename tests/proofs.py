"""A proof file over a small real log, and every way to change one thing in it.

The tests of the verifier and of the page ask the same copies, so that the two readers are held to
one another.
"""

import base64
import copy
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import commit
from counterfoil.events.entry import Entry, write_entry
from counterfoil.events.refs import Named
from counterfoil.prooffile.make import make_page
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.proof import inclusion_path
from counterfoil.tlog.strict import write_base64
from counterfoil.tlog.tree import TreeHead, leaf_hash, root_from_leaves
from counterfoil.verifier.proof_file import (
    EntryProof,
    GapSaid,
    Proof,
    Shown,
    Statement,
    StepSaid,
    find_data,
)

ORIGIN = "foil.acme.example/log/acme"
SIGNER = SignerKey.from_seed(ORIGIN, hashlib.sha256(b"proof files").digest())
STRANGER = SignerKey.from_seed(ORIGIN, hashlib.sha256(b"somebody else").digest())
SUBJECT = "release:shop@1.4.2"
SIZE = 13
HELD = (2, 5, 9, 11)
# What a sender might put into any text: an element's end, markup, direction and control characters.
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u202egpj.exe\u2066\x00\x1b[31m\u2028\ufeff'\"&lt;"


def make_proof(
    words: str = "pushed 9fceb02", signer: SignerKey = SIGNER, subject: str = SUBJECT
) -> Proof:
    """Return a proof of four entries of a log of 13; `words` stand wherever text may stand."""
    made = [_event(index, words, subject) for index in range(SIZE)]
    leaves = [leaf_hash(data) for data, _ in made]
    head = TreeHead(SIZE, root_from_leaves(leaves))

    def node(level: int, n: int) -> bytes:
        return root_from_leaves(leaves[n << level : (n + 1) << level])

    entries = tuple(
        EntryProof(
            index=index,
            entry=made[index][0].decode(),
            path=tuple(write_base64(one) for one in inclusion_path(index, SIZE, node)),
            shown=made[index][1] if index != HELD[-1] else (),
        )
        for index in HELD
    )
    steps = (
        StepSaid(entry=2, ended=None, lane="Commits", what=words, outcome=None),
        StepSaid(entry=5, ended=9, lane="Build", what=words, outcome="passed"),
    )
    gap = GapSaid(rule="review-after-push", what=words, why=words, entries=(2, 9))
    return Proof(
        subject=subject,
        project="default",
        written="2026-11-20T14:04:30.000Z",
        vkey=str(signer.vkey),
        checkpoint=sign_checkpoint(ORIGIN, head, signer).decode(),
        entries=entries,
        statement=Statement(as_of=11, steps=steps, gaps=(gap,), left_out=0, cut=False),
    )


def page_of(members: dict[str, Any], *, mended: bool = False) -> bytes:
    """Return the page with these data; `mended`: with the digest a careful forger would write."""
    if mended:
        rest = {name: value for name, value in members.items() if name != "digest"}
        members = {**rest, "digest": hashlib.sha256(canonical.write(rest)).hexdigest()}
    page = make_page(make_proof())
    data = canonical.write(members).replace(b"<", b"\\u003c")
    return page.replace(find_data(page), data)


def members_of(proof: Proof) -> dict[str, Any]:
    """Return the data of a proof with their digest, as plain values."""
    data: dict[str, Any] = msgspec.json.decode(find_data(make_page(proof)))
    return data


def changed_once() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every copy of the data in which exactly one embedded value is another."""
    data = members_of(make_proof())
    for path, value in _leaves(data, ()):
        for ordinal, other in enumerate(_others(value, path[-1])):
            copied = copy.deepcopy(data)
            _put(copied, path, other)
            yield f"{'/'.join(map(str, path))} #{ordinal}", copied


# Members that a forger who also writes the digest may change unseen: docs/proof-file.md names
# exactly these as the writer's word.
ONLY_SAID = (
    "project", "written", "statement/left_out", "statement/cut", "/lane", "/what", "/outcome",
    "/why", "/rule",
)  # fmt: skip


def only_said(name: str) -> bool:
    """Say whether a change of `changed_once` concerns words and not evidence."""
    path = name.partition(" ")[0]
    return path.endswith(ONLY_SAID) and not path.startswith("entries")


def forgeries() -> dict[str, dict[str, Any]]:
    """Return careful forgeries: several values changed together, the digest mended by `page_of`."""
    data = members_of(make_proof())

    def forged(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        copied = copy.deepcopy(data)
        change(copied)
        return copied

    def swapped(d: dict[str, Any]) -> None:
        d["entries"][0], d["entries"][1] = d["entries"][1], d["entries"][0]

    def other_opening(d: dict[str, Any]) -> None:
        d["entries"][0]["shown"][0] = d["entries"][1]["shown"][0]

    def longer(d: dict[str, Any]) -> None:
        d["entries"][0]["path"].append(d["entries"][0]["path"][0])

    def other_signature(d: dict[str, Any]) -> None:
        note, _, encoded = d["checkpoint"].rstrip("\n").rpartition(" ")
        raw = bytearray(base64.b64decode(encoded))
        raw[20] ^= 1
        d["checkpoint"] = f"{note} {write_base64(bytes(raw))}\n"

    def other_key_id(d: dict[str, Any]) -> None:
        note, _, encoded = d["checkpoint"].rstrip("\n").rpartition(" ")
        raw = b"\0\0\0\0" + base64.b64decode(encoded)[4:]
        d["checkpoint"] = f"{note} {write_base64(raw)}\n"
        d["vkey"] = d["vkey"].replace(SIGNER.vkey.key_id.hex(), "00000000")

    def other_origin(d: dict[str, Any]) -> None:
        d["checkpoint"] = d["checkpoint"].replace(f"{ORIGIN}\n", f"{ORIGIN}x\n", 1)

    return {
        "the signature": forged(other_signature),
        "a key under an id that is not its own": forged(other_key_id),
        "a cosignature that is cut off": forged(
            lambda d: d.update(checkpoint=d["checkpoint"] + "— witness.example AAAAAAAAAAAAAAAA")
        ),
        "a line of signature that is none": forged(
            lambda d: d.update(checkpoint=d["checkpoint"] + "witnessed\n")
        ),
        "another origin": forged(other_origin),
        "another size": forged(
            lambda d: d.update(checkpoint=d["checkpoint"].replace("\n13\n", "\n14\n"))
        ),
        "an entry is dropped that the statement rests on": forged(lambda d: d["entries"].pop(1)),
        "the last entry known is dropped": forged(lambda d: d["entries"].pop()),
        "an entry stands twice": forged(lambda d: d["entries"].append(d["entries"][-1])),
        "entries in another order": forged(swapped),
        "no entries at all": forged(lambda d: d["entries"].clear()),
        "a moment before its last entry": forged(lambda d: d["statement"].update(as_of=9)),
        "a moment that is not there": forged(lambda d: d["statement"].update(as_of=12)),
        "another release": forged(lambda d: d.update(subject="release:shop@1.4.3")),
        "an entry as the subject that is not there": forged(lambda d: d.update(subject="entry:3")),
        "a member too many": forged(lambda d: d.update(note="trust me")),
        "a member too many, inside": forged(lambda d: d["entries"][0].update(note="trust me")),
        "a member too few": forged(lambda d: d["statement"].pop("cut")),
        "another version": forged(lambda d: d.update(version=2)),
        "another format": forged(lambda d: d.update(format="counterfoil-proof")),
        "a number as text": forged(lambda d: d["statement"].update(as_of="11")),
        "a flag as a number": forged(lambda d: d["statement"].update(left_out=False)),
        "a fraction": forged(lambda d: d["statement"].update(left_out=0.5)),
        "a negative number": forged(lambda d: d["entries"][0].update(index=-2)),
        "the opening of another entry": forged(other_opening),
        "an opening twice": forged(
            lambda d: d["entries"][0]["shown"].append(d["entries"][0]["shown"][0])
        ),
        "an opening of no commitment": forged(
            lambda d: d["entries"][0]["shown"][0].update(name="toString")
        ),
        "a path that is too long": forged(longer),
        "a path that is too short": forged(lambda d: d["entries"][0]["path"].pop()),
        "an empty entry": forged(lambda d: d["entries"][0].update(entry="")),
        "no signature": forged(
            lambda d: d.update(checkpoint=d["checkpoint"].partition("\n\n")[0] + "\n\n")
        ),
        "a note without its last newline": forged(
            lambda d: d.update(checkpoint=d["checkpoint"][:-1])
        ),
        "another key of the same name": forged(lambda d: d.update(vkey=str(STRANGER.vkey))),
        "a true signature over another tree": forged(
            lambda d: d.update(
                checkpoint=sign_checkpoint(ORIGIN, TreeHead(SIZE, b"\7" * 32), SIGNER).decode()
            )
        ),
    }  # fmt: skip


def misspelt() -> dict[str, bytes]:
    """Return pages whose data mean the same and are spelt another way, and pages cut short."""
    page = make_page(make_proof())
    data = find_data(page)
    return {
        "a space": page.replace(data, b" " + data),
        "a member twice": page.replace(data, data.replace(b'"version":1', b'"version":1,"version":1')),
        "an escape that need not be": page.replace(data, data.replace(b'"version"', b'"\\u0076ersion"')),
        "1.0 for 1": page.replace(data, data.replace(b'"version":1', b'"version":1.0')),
        "not JSON": page.replace(data, b"{}}"),
        "null": page.replace(data, b"null"),
        "an array": page.replace(data, b"[]"),
        "nothing": page.replace(data, b""),
        "a second data element": page.replace(
            b"</body>", b'<script type="application/json" id="x">{}</script></body>'
        ),
    }  # fmt: skip


def cut_pages() -> dict[str, bytes]:
    """Return the page cut off at several places; the last stands right before its end mark."""
    page = make_page(make_proof())
    data = find_data(page)
    start = page.index(data)
    end = page.index(b'<p id="end"')
    places = {
        "in half": start + len(data) // 2,
        "before its data": start,
        "in its code": start // 2,
        "in its last brace": start + len(data) - 1,
        "behind its data": start + len(data),
        "before its end mark": end,
        "in its end mark": end + 8,
    }
    return {name: page[:place] for name, place in places.items()}


def _event(index: int, words: str, subject: str) -> tuple[bytes, tuple[Shown, ...]]:
    contents: dict[str, JSON] = {
        "body": {"authtype": "user", "data": {"note": words, "n": index}},
        "authid": f"{words}:{index}",
    }
    openings = {name: hashlib.sha256(f"{name} {index}".encode()).digest() for name in contents}
    entry = Entry(
        id=f"e-{index}",
        source="https://ci.example/acme/shop",
        type="com.example.step.finished",
        subject=subject if index == HELD[2] else f"run:acme/shop/{index}",
        time="2026-11-20T12:31:07.188Z",
        recordedtime="2026-11-20T12:31:07.412Z",
        recordedby="token:ci",
        via="api",
        refs=(Named(f"ticket:{words}", "about"), Named("actor:k3vq7x2m5n8p4r6t", "actor")),
        retention="standard",
        commit={
            name: base64.b64encode(commit(openings[name], canonical.write(value))).decode()
            for name, value in contents.items()
        },
    )
    shown = tuple(
        Shown(
            name=name,
            opening=write_base64(openings[name]),
            content=canonical.write(value).decode(),
        )
        for name, value in contents.items()
    )
    return write_entry(entry), shown


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _leaves(each, (*path, place))
    else:
        yield path, value


def _others(value: Any, name: str | int) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case None:
            yield 10 if name == "ended" else "passed"  # entry 10 is not in the file
        case str():
            # One character of the middle is another one of its kind, and the text is cut by one.
            middle = len(value) // 2
            if value:
                other = {"a": "b", "A": "B", "1": "2"}.get(value[middle], "a")
                yield (
                    value[:middle]
                    + (other if other != value[middle] else "b")
                    + value[middle + 1 :]
                )
                yield value[:-1]
            else:
                yield "a"


def _put(value: Any, path: tuple[str | int, ...], other: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = other
