"""What a verification found: for a person (`lines`) and for a program (`to_json`).

Source: interfaces of `counterfoil verify`; the classes and what to do about each stand in
docs/trust.md.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from counterfoil.events.canonical import JSON

Klass = Literal["damaged", "missing", "forked", "unlogged_absence", "stale"]
Trust = Literal["self", "policy", "vkey"]

MAX_FINDINGS = 1_000
FINGERPRINT_SHOWN = 16
"""Hex digits of a key's fingerprint that are printed: 64 bits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, named so that a person can go and look at it.

    Args:
        klass: damaged, missing, forked or unlogged_absence; `stale` for what is derived from
            the log, is no evidence, and does not follow from it.
        object: the file, row or cell, such as `public/default/tile/0/000.p/37`.
        first: index of the first entry concerned, from 0; None when no entry is.
        last: index of the last one, inclusive.
        message: one line.
    """

    klass: Klass
    object: str
    first: int | None
    last: int | None
    message: str

    def to_json(self) -> dict[str, JSON]:
        """Return the finding as a JSON object; `first` and `last` are null without entries."""
        return {
            "class": self.klass,
            "object": printable(self.object),
            "first": self.first,
            "last": self.last,
            "message": printable(self.message),
        }

    def line(self) -> str:
        """Return `class  object  (entries): message`."""
        return printable(f"{self.klass}  {self.object}{self._entries()}: {self.message}")

    def _entries(self) -> str:
        if self.first is None:
            return ""
        if self.first == self.last:
            return f"  (entry {self.first})"
        return f"  (entries {self.first} to {self.last})"


class Findings:
    """Findings as they come up: no two alike, and never more than a reader can use.

    What goes over the limit is counted, so a log that is all rubble costs little memory.
    """

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self.uncounted = 0

    def add(
        self, klass: Klass, name: str, message: str, first: int | None = None,
        last: int | None = None,
    ) -> None:  # fmt: skip
        """Keep one finding; `last` is `first` when only one entry is concerned."""
        found = Finding(klass, name, first, first if last is None else last, message)
        if found in self._found:
            return
        if len(self._found) < MAX_FINDINGS:
            self._found[found] = None
        else:
            self.uncounted += 1

    def extend(self, findings: "Findings") -> None:
        """Keep those of another check, with what it only counted."""
        for one in findings:
            self.add(one.klass, one.object, one.message, one.first, one.last)
        self.uncounted += findings.uncounted

    @property
    def full(self) -> bool:
        """Whether further findings are only counted."""
        return len(self._found) >= MAX_FINDINGS

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True, slots=True)
class LogSeen:
    """One log that was looked at.

    Args:
        project: its project; "" where the evidence does not say.
        origin: its name as signed; "" when no checkpoint could be read.
        size: how many entries were checked.
        root: the signed root hash over them, in hex; "" when there is none.
        fingerprint: of the key that signed the checkpoint, in hex; "" when none did.
    """

    project: str
    origin: str
    size: int
    root: str
    fingerprint: str

    def to_json(self) -> dict[str, JSON]:
        """Return the log as a JSON object."""
        return {
            "project": self.project,
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict over a ledger directory, an exported log, an archive or a served log.

    Args:
        target: what was asked about, as given.
        logs: the logs in it, at least one.
        trust: whose word the signatures were checked against: the directory's own key files
            (`self`), a trust policy or a verifier key the caller gave.
        checked: what was compared, name -> count.
        findings: what is wrong; none means whole.
        notes: what a reader should know that is not wrong.
    """

    target: str
    logs: tuple[LogSeen, ...]
    trust: Trust
    checked: Mapping[str, int]
    findings: tuple[Finding, ...]
    uncounted: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def origin(self) -> str:
        """The origin of the first log."""
        return self.logs[0].origin

    @property
    def size(self) -> int:
        """The size of the first log, in entries."""
        return self.logs[0].size

    @property
    def root(self) -> str:
        """The root of the first log, in hex."""
        return self.logs[0].root

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key of the first log, in hex."""
        return self.logs[0].fingerprint

    def verdict(self) -> str:
        """Return the verdict as one line, with the key it rests on."""
        if not self.ok:
            total = len(self.findings) + self.uncounted
            classes = ", ".join(sorted({one.klass for one in self.findings}))
            return f"NOT whole: {total} finding{'s' if total > 1 else ''} ({classes})"
        prints = ", ".join(sorted({log.fingerprint[:FINGERPRINT_SHOWN] for log in self.logs}))
        if self.trust == "self":
            return (
                f"whole under the key found in this directory (fingerprint {prints});"
                " give --trust POLICY for an outsider's verdict"
            )
        given = "the trust policy given" if self.trust == "policy" else "the key given"
        return f"whole under {given} (fingerprint {prints})"

    def lines(self) -> list[str]:
        """Return the report for a person: the verdict, what was checked, findings, notes."""
        lines = [f"{self.target}: {self.verdict()}"]
        for log in self.logs:
            root = f", root {log.root}" if log.root else ""
            lines.append(
                f"log {log.origin or log.project or '?'}: {_many(log.size, 'entries')}{root}"
            )
        counts = ", ".join(
            _many(count, name.replace("_", " ")) for name, count in self.checked.items()
        )
        lines.append(f"checked: {counts or 'nothing'}")
        lines += [one.line() for one in self.findings]
        if self.uncounted:
            lines.append(f"... and {self.uncounted} more")
        lines += [f"note: {note}" for note in self.notes]
        return [printable(line) for line in lines]

    def to_json(self) -> dict[str, JSON]:
        """Return the report as a JSON object; `ok` is the verdict."""
        checked: dict[str, JSON] = dict(self.checked)
        return {
            "ok": self.ok,
            "verdict": printable(self.verdict()),
            "target": printable(self.target),
            "trust": self.trust,
            **self.logs[0].to_json(),
            "logs": [log.to_json() for log in self.logs],
            "checked": checked,
            "classes": [*sorted({one.klass for one in self.findings})],
            "findings": [one.to_json() for one in self.findings],
            "further_findings": self.uncounted,
            "notes": [printable(note) for note in self.notes],
        }


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """The verdict over one receipt.

    Args:
        target: the receipt, as given.
        origin: the log that signed; "" when the signature did not hold.
        size: entries of the tree that was signed.
        index: the entry's number, from 0; None when the file is no receipt.
        fingerprint: of the key that signed, in hex; "" when none did.
        trust: `policy` or `vkey`.
        entry: id, source, type, subject, time, recordedtime of the entry, as committed.
        contents: whether an event was given and compared.
        compared: names of the commitments that were opened and match.
        unopened: names of those nobody opened.
        findings: what is wrong; none means the log vouched for this entry.
    """

    target: str
    origin: str
    size: int
    index: int | None
    fingerprint: str
    trust: Trust
    entry: Mapping[str, str]
    contents: bool
    compared: tuple[str, ...]
    unopened: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the log vouched for the entry, and for the event if one was given."""
        return not self.findings

    def _contents(self) -> str:
        if not self.contents:
            return "not compared"
        return "compared" if self.ok else "differ"

    def verdict(self) -> str:
        """Return the verdict as one line."""
        if not self.ok:
            return f"NOT verified ({', '.join(sorted({one.klass for one in self.findings}))})"
        given = "the trust policy given" if self.trust == "policy" else "the key given"
        return (
            f"verified: entry {self.index} of {self.origin}, in the tree of size {self.size},"
            f" under {given} (fingerprint {self.fingerprint[:FINGERPRINT_SHOWN]})"
        )

    def lines(self) -> list[str]:
        """Return the verdict for a person, with what was and what was not compared."""
        lines = [f"{self.target}: {self.verdict()}"]
        lines += [f"{name}  {value}" for name, value in self.entry.items()]
        if self.contents and self.ok:
            lines.append(f"contents compared: {', '.join(self.compared) or 'attributes only'}")
            if self.unopened:
                lines.append(f"not opened: {', '.join(self.unopened)}")
        elif not self.contents:
            lines.append("contents not compared")
        lines += [one.line() for one in self.findings]
        return [printable(line) for line in lines]

    def to_json(self) -> dict[str, JSON]:
        """Return the verdict as a JSON object; `ok` is the verdict."""
        entry: dict[str, JSON] = {name: printable(value) for name, value in self.entry.items()}
        return {
            "ok": self.ok,
            "verdict": printable(self.verdict()),
            "target": printable(self.target),
            "trust": self.trust,
            "origin": self.origin,
            "size": self.size,
            "index": self.index,
            "fingerprint": self.fingerprint,
            "entry": entry,
            "contents": self._contents(),
            "compared": list(self.compared),
            "unopened": list(self.unopened),
            "classes": [*sorted({one.klass for one in self.findings})],
            "findings": [one.to_json() for one in self.findings],
        }


def printable(text: str) -> str:
    r"""Return outside text on one line: control, bidi and surrogate characters become escapes.

    >>> printable("a\nb\u202ec")
    'a\\nb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ascii(char)[1:-1]
        if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
        else char
        for char in text
    )


def _many(count: int, name: str) -> str:
    """Return `3 tiles`, `1 tile`, `1 entry`."""
    if count != 1:
        return f"{count} {name}"
    return (
        f"1 {name.removesuffix('ies')}y" if name.endswith("ies") else f"1 {name.removesuffix('s')}"
    )
