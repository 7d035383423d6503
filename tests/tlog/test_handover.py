"""Keys of a log that follow each other: what is signed, and whom a policy leads to."""

import dataclasses

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import parse_checkpoint
from counterfoil.tlog.handover import (
    Handover,
    check_handover,
    check_retirement,
    extended,
    followed,
    hand_over,
    retire,
    write_handover,
)
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import Log, Policy, parse_policy
from counterfoil.tlog.tree import TreeHead

ORIGIN = "log.example/acme"
A, B, C, M = (SignerKey.from_seed(ORIGIN, name * 32) for name in (b"a", b"b", b"c", b"m"))
OTHER = SignerKey.from_seed("log.example/other", b"o" * 32)
HEAD = TreeHead(7, b"\1" * 32)
LATE = TreeHead(12, b"\2" * 32)
A_TO_B = hand_over(A, B, HEAD)
B_TO_C = hand_over(B, C, LATE)


def until(policy: Policy) -> dict[str, int | None]:
    """Return up to where each key counts alone, by its letter."""
    names = {one.vkey: name for name, one in (("A", A), ("B", B), ("C", C), ("M", M))}
    return {names[log.key]: log.until for log in policy.logs}


FORGED = {
    "the earlier key did not sign": (dataclasses.replace(A_TO_B, by_earlier=bytes(64)), "signature"),
    "the later key did not sign": (dataclasses.replace(A_TO_B, by_later=bytes(64)), "signature"),
    "another key put in": (dataclasses.replace(A_TO_B, later=M.vkey), "signature"),
    "another head": (dataclasses.replace(A_TO_B, head=LATE), "signature"),
    "each other's signatures": (
        dataclasses.replace(A_TO_B, by_earlier=A_TO_B.by_later, by_later=A_TO_B.by_earlier),
        "signature",
    ),
    "the hand-over back": (dataclasses.replace(A_TO_B, earlier=B.vkey, later=A.vkey), "signature"),
    "a key of another log": (dataclasses.replace(A_TO_B, later=OTHER.vkey), "key_unknown"),
    "one key": (dataclasses.replace(A_TO_B, later=A.vkey), "key_unknown"),
    "the key of a witness": (
        dataclasses.replace(A_TO_B, later=SignerKey.from_seed(ORIGIN, b"w" * 32, COSIGNATURE).vkey),
        "key_unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED, ids=str)
def test_a_hand_over_that_one_of_the_keys_did_not_sign_so_is_none(case: str) -> None:
    one, code = FORGED[case]

    check_handover(A_TO_B)
    with pytest.raises(EvidenceError) as error:
        check_handover(one)
    assert error.value.code == code


def test_a_retirement_is_the_word_of_the_key_it_names() -> None:
    one = retire(A.vkey, B, HEAD)

    check_retirement(one)
    for forged in (
        dataclasses.replace(one, head=LATE),
        dataclasses.replace(one, by=M.vkey),
        dataclasses.replace(one, key=M.vkey),
    ):
        with pytest.raises(EvidenceError):
            check_retirement(forged)


def test_a_statement_is_never_read_as_a_checkpoint_nor_one_as_the_other() -> None:
    """A key signs both; what it meant as one must not be taken for the other."""
    text = parse_note(write_handover(A_TO_B)).text
    with pytest.raises(EvidenceError):
        parse_checkpoint(text)
    said = retire(A.vkey, B, HEAD).signed
    with pytest.raises(EvidenceError):
        check_handover(dataclasses.replace(A_TO_B, by_later=said))


def led(*logs: Log, by: tuple[Handover, ...] = (A_TO_B, B_TO_C)) -> dict[str, int | None]:
    return until(extended(Policy(logs), by))


CHAIN = {"C": None, "A": 7, "B": 12}


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ((Log(A.vkey),), CHAIN),
        ((Log(B.vkey),), CHAIN),
        ((Log(C.vkey),), CHAIN),
        ((Log(C.vkey), Log(A.vkey, until=3)), {**CHAIN, "A": 3}),
        ((Log(A.vkey, until=7),), {"A": 7}),
        ((Log(M.vkey),), {"M": None}),
    ],
    ids=["the first", "the middle", "the last", "one believed for less", "a retired one", "a stranger"],
)  # fmt: skip
def test_a_policy_leads_from_its_keys_to_the_others(
    logs: tuple[Log, ...], expected: dict[str, int | None]
) -> None:
    """Forwards and back; onwards only from a key that is in force for whoever asks."""
    assert led(*logs) == expected


def test_of_two_hand_overs_by_one_key_the_first_counts() -> None:
    stolen = hand_over(A, M, LATE)

    assert led(Log(A.vkey), by=(A_TO_B, stolen)) == {"B": None, "A": 7}
    assert followed(Policy((Log(A.vkey),)), ORIGIN, (A_TO_B, stolen)) == (A_TO_B,)


def test_keys_that_hand_over_in_a_circle_end() -> None:
    circle = (A_TO_B, hand_over(B, A, LATE))

    assert set(led(Log(A.vkey), by=circle)) == {"A", "B"}


def test_a_retirement_counts_when_a_later_key_of_the_log_says_so() -> None:
    policy = Policy((Log(A.vkey),))
    less = TreeHead(3, b"\3" * 32)

    assert until(extended(policy, (A_TO_B,), (retire(A.vkey, B, less),))) == {"B": None, "A": 3}
    assert until(extended(policy, (A_TO_B,), (retire(A.vkey, M, less),))) == {"B": None, "A": 7}
    assert until(extended(policy, (A_TO_B,), (retire(B.vkey, A, less),))) == {"B": None, "A": 7}


@pytest.mark.parametrize(
    "line",
    ["retired {key}", "retired {key} -1", "retired {key} 07", "retired {key} 7 url"],
    ids=str,
)
def test_a_line_of_a_retired_key_holds_the_key_and_its_last_size(line: str) -> None:
    with pytest.raises(EvidenceError) as error:
        parse_policy(f"{line.format(key=A.vkey)}\nquorum none\n")
    assert error.value.code == "policy_invalid"
    assert parse_policy(f"retired {A.vkey} 7\nquorum none\n").logs == (Log(A.vkey, until=7),)
