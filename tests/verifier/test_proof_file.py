"""What `verify proof.html` says: yes for what holds under a trusted key, never for anything else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.prooffile.make import make_page
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.strict import read_hash
from counterfoil.verifier.proof_file import find_data, read_data
from counterfoil.verifier.proof_verdict import check_proof_file
from counterfoil.verifier.receipt import check_receipt
from tests.proofs import (
    HOSTILE,
    ORIGIN,
    SIGNER,
    STRANGER,
    changed_once,
    cut_pages,
    forgeries,
    make_proof,
    members_of,
    misspelt,
    only_said,
    page_of,
)

POLICY = Policy.for_vkey(SIGNER.vkey)
CHANGES = dict(changed_once())


def codes(page: bytes, policy: Policy = POLICY) -> list[str]:
    """Return the codes in the findings of the verdict."""
    verdict = check_proof_file(page, policy)
    assert verdict.ok == (not verdict.findings)
    return [one.message.rpartition("[")[2].rstrip("]") for one in verdict.findings]


def test_a_true_file_is_verified_and_says_what_is_only_said() -> None:
    verdict = check_proof_file(make_page(make_proof()), POLICY, target="proof.html")
    assert verdict.ok
    lines = verdict.lines()
    assert lines[0].startswith(
        f"proof.html: verified: 4 entries of {ORIGIN}, in the tree of size 13"
    )
    assert lines[1] == "about release:shop@1.4.2, as known at entry 11"
    assert (
        "entry 2  2026-11-20T12:31:07.188Z  com.example.step.finished  run:acme/shop/2  by pushed 9fceb02:2  (opened: body, authid)"
        in lines
    )
    assert "said by the writer, in nothing signed: 2 steps, 1 gap" in lines
    value: Any = verdict.to_json()
    assert value["ok"] is True
    assert value["subject"] == "release:shop@1.4.2"
    assert value["carried_fingerprint"] == value["fingerprint"] == SIGNER.vkey.fingerprint()
    assert [one["index"] for one in value["entries"]] == [2, 5, 9, 11]


def test_the_same_data_give_the_same_page() -> None:
    assert make_page(make_proof()) == make_page(make_proof())


@pytest.mark.parametrize("name", CHANGES)
def test_one_embedded_value_changed_is_found(name: str) -> None:
    assert codes(page_of(CHANGES[name])) == ["proof_file_invalid"]


@pytest.mark.parametrize("name", CHANGES)
def test_one_value_changed_and_the_digest_mended_is_found_unless_it_is_only_said(name: str) -> None:
    """The digest is no secret: what it alone protects is the writer's word, and called that."""
    if name.startswith("digest"):
        return
    assert bool(codes(page_of(CHANGES[name], mended=True))) != only_said(name), name


def test_what_is_only_said_is_there_to_be_changed() -> None:
    """So that the test above cannot pass for want of such members."""
    assert sum(only_said(name) for name in CHANGES) >= 15
    assert len(CHANGES) - sum(only_said(name) for name in CHANGES) >= 80


@pytest.mark.parametrize("name", forgeries())
def test_a_careful_forgery_is_found(name: str) -> None:
    assert codes(page_of(forgeries()[name], mended=True))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("another key of the same name", "key_unknown"),
        ("the signature", "signature"),
        ("another size", "signature"),
        ("a key under an id that is not its own", "note_invalid"),
        ("a true signature over another tree", "proof"),
        ("a path that is too short", "proof"),
        ("the opening of another entry", "commitment"),
        ("an opening of no commitment", "commitment"),
        ("no signature", "note_invalid"),
        ("another release", "proof_file_invalid"),
        ("another version", "proof_file_invalid"),
    ],
)
def test_a_finding_names_what_does_not_hold(name: str, code: str) -> None:
    assert codes(page_of(forgeries()[name], mended=True)) == [code]


@pytest.mark.parametrize("name", misspelt())
def test_data_have_one_spelling(name: str) -> None:
    """Two readers of two spellings could read two proofs."""
    assert codes(misspelt()[name]) == ["proof_file_invalid"]


@pytest.mark.parametrize("name", cut_pages())
def test_a_file_cut_off_is_named_as_such(name: str) -> None:
    [code] = codes(cut_pages()[name])
    assert code == "proof_file_invalid"


def test_a_file_of_a_stranger_holds_by_itself_and_is_not_trusted() -> None:
    """Whoever makes up a log signs it too: the page is green, the reader's policy is not."""
    page = make_page(make_proof(signer=STRANGER))
    assert codes(page, Policy.for_vkey(STRANGER.vkey)) == []
    assert codes(page) == ["key_unknown"]


def test_a_policy_that_does_not_know_the_log_says_so() -> None:
    other = SignerKey.from_seed("log.example/other", b"\1" * 32)
    policy = parse_policy(f"log {other.vkey}\nquorum none\n")
    assert codes(make_page(make_proof()), policy) == ["key_unknown"]


def test_a_quorum_is_asked_of_the_witnesses_in_the_file() -> None:
    witness = SignerKey.from_seed("witness.example", b"\2" * 32, COSIGNATURE)
    policy = parse_policy(f"log {SIGNER.vkey}\nwitness w {witness.vkey}\nquorum w\n")
    data = members_of(make_proof())
    assert codes(page_of(data), policy) == ["quorum"]

    text = parse_note(data["checkpoint"].encode()).text
    data["checkpoint"] += cosign(witness, text, 1_795_180_000).decode()
    assert codes(page_of(data, mended=True), policy) == []


def test_every_entry_with_the_checkpoint_is_a_receipt() -> None:
    """What the file says of itself: any tool that reads C2SP receipts gives the same verdict."""
    proof = make_proof()
    for one in proof.entries:
        path = tuple(read_hash(text, "proof", "a hash") for text in one.path)
        receipt = Receipt(one.index, one.entry.encode(), path, proof.checkpoint.encode())
        assert check_receipt(write_receipt(receipt), POLICY).ok


def test_hostile_text_stays_inside_the_data_element() -> None:
    page = make_page(make_proof(HOSTILE))
    assert check_proof_file(page, POLICY).ok
    assert b"<" not in find_data(page)
    for line in check_proof_file(page, POLICY).lines():
        assert line.isprintable(), line


def test_code_in_the_page_is_never_part_of_the_verdict() -> None:
    page = make_page(make_proof())
    lying = page.replace(b'data-verdict="cannot-check"', b'data-verdict="verified"')
    assert lying != page
    assert codes(lying) == []
    assert codes(page_of(forgeries()["another release"]).replace(b"</title>", b" VERIFIED</title>"))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.data())
def test_no_change_of_a_byte_of_the_data_is_accepted_or_raises(draw: st.DataObject) -> None:
    page = make_page(make_proof())
    start, size = page.index(find_data(page)), len(find_data(page))
    place = start + draw.draw(st.integers(0, size - 1))
    byte = draw.draw(st.integers(0, 255).filter(lambda one: one != page[place]))
    assert codes(page[:place] + bytes([byte]) + page[place + 1 :])


def test_what_is_written_is_read_back() -> None:
    proof = read_data(find_data(make_page(make_proof())))
    assert make_page(proof) == make_page(make_proof())
