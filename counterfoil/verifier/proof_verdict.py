"""The verdict over a proof file, by the reader's own policy and never by the page's code.

Two questions: do the data hold under the key they carry (what the page computed), and is that
checkpoint one the reader trusts?  The first without the second is a stranger's word for itself.
"""

from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.log import signer_fingerprint
from counterfoil.verifier.proof_file import (
    Held,
    Opened,
    check_proof,
    find_data,
    read_data,
)
from counterfoil.verifier.report import FINGERPRINT_SHOWN, Finding, Trust, printable

NOT_OURS = "the page's code is not that of this version; this verdict did not run it"


@dataclass(frozen=True, slots=True)
class ProofVerdict:
    """The verdict over one proof file.

    Args:
        target: the file, as given.
        trust: where the policy came from.
        held: the data that hold under their own key; None when they do not.
        fingerprint: of the trusted key that signed, in hex; "" when none did.
        findings: what is wrong; none means it holds and its log is trusted.
        notes: what a reader should know that is not wrong.
    """

    target: str
    trust: Trust
    held: Held | None
    fingerprint: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything in it holds, under a key that is trusted here."""
        return not self.findings

    def verdict(self) -> str:
        """Return the verdict as one line."""
        if not self.ok or self.held is None:
            return "NOT verified (damaged)"
        given = "the trust policy given" if self.trust == "policy" else "the key given"
        checkpoint, count = self.held.checkpoint, len(self.held.entries)
        return (
            f"verified: {count} {'entry' if count == 1 else 'entries'} of {checkpoint.origin},"
            f" in the tree of size {checkpoint.size},"
            f" under {given} (fingerprint {self.fingerprint[:FINGERPRINT_SHOWN]})"
        )

    def lines(self) -> list[str]:
        """Return the verdict for a person, what is proven apart from what is only said."""
        lines = [f"{self.target}: {self.verdict()}"]
        if self.held is not None and self.ok:
            said = self.held.proof.statement
            lines.append(f"about {self.held.proof.subject}, as known at entry {said.as_of}")
            lines += [_line(one) for one in self.held.entries]
            lines.append(
                f"said by the writer, in nothing signed: {_many(len(said.steps), 'step')},"
                f" {_many(len(said.gaps), 'gap')}"
            )
            lines += [f"  gap: {gap.what} {gap.why}".rstrip() for gap in said.gaps]
            if said.left_out:
                lines.append(f"not in this file: {said.left_out} further entries it rests on")
            if said.cut:
                lines.append("the chain was followed up to a limit and may be longer")
        lines += [one.line() for one in self.findings]
        lines += [f"note: {note}" for note in self.notes]
        return [printable(line) for line in lines]

    def to_json(self) -> dict[str, JSON]:
        """Return the verdict as a JSON object; `ok` is the verdict."""
        value: dict[str, JSON] = {
            "ok": self.ok,
            "verdict": printable(self.verdict()),
            "target": printable(self.target),
            "trust": self.trust,
            "fingerprint": self.fingerprint,
            "classes": [*sorted({one.klass for one in self.findings})],
            "findings": [one.to_json() for one in self.findings],
            "notes": [printable(note) for note in self.notes],
        }
        if self.held is not None:
            proof = self.held.proof
            value |= {
                "origin": printable(self.held.checkpoint.origin),
                "size": self.held.checkpoint.size,
                "carried_fingerprint": self.held.key.fingerprint(),
                "subject": printable(proof.subject),
                "as_of": proof.statement.as_of,
                "written": printable(proof.written),
                "digest": proof.digest,
                "entries": [_shown(one) for one in self.held.entries],
                "said": {
                    "gaps": [printable(f"{gap.what} {gap.why}") for gap in proof.statement.gaps],
                    "left_out": proof.statement.left_out,
                    "cut": proof.statement.cut,
                },
            }
        return value


def check_proof_file(
    page: bytes, policy: Policy, *, target: str = "proof file", trust: Trust = "policy"
) -> ProofVerdict:
    """Judge the data of a proof file.

    Args:
        page: the whole HTML file.
        policy: whose signatures count.
        target: what the file is called in the verdict.
        trust: where `policy` came from.

    Returns:
        The verdict; what is wrong is a finding in it, never an exception.
    """
    held: Held | None = None
    fingerprint = ""
    findings: tuple[Finding, ...] = ()
    try:
        held = check_proof(read_data(find_data(page)))
        note = held.proof.checkpoint.encode()
        policy.verify_checkpoint(note)
        fingerprint = signer_fingerprint(policy, note)
    except EvidenceError as error:
        message = f"{error.message} [{error.code}]"
        findings = (Finding("damaged", target, None, None, message),)
    return ProofVerdict(target, trust, held, fingerprint, findings)


def _line(one: Opened) -> str:
    about = f"  {one.entry.subject}" if one.entry.subject else ""
    opened = ", ".join(one.values) or "nothing"
    by = f"  by {one.values['authid']}" if "authid" in one.values else ""
    return f"entry {one.index}  {one.entry.time}  {one.entry.type}{about}{by}  (opened: {opened})"


def _shown(one: Opened) -> dict[str, JSON]:
    return {
        "index": one.index,
        "id": printable(one.entry.id),
        "source": printable(one.entry.source),
        "type": printable(one.entry.type),
        "subject": printable(one.entry.subject) if one.entry.subject else None,
        "time": printable(one.entry.time),
        "recordedtime": one.entry.recordedtime,
        "opened": [printable(name) for name in one.values],
    }


def _many(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
