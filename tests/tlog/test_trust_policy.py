"""Trust policies: what is read, and which checkpoints they believe."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import sign_checkpoint, write_checkpoint
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, MLDSA44, SignerKey, VerifierKey, signature_line
from counterfoil.tlog.note import write_note
from counterfoil.tlog.policy import Group, Policy, parse_policy
from counterfoil.tlog.tree import TreeHead

ORIGIN = "example.com/log"
HEAD = TreeHead(5, bytes(range(32)))
TEXT = write_checkpoint(ORIGIN, HEAD)
LOG = SignerKey.from_seed(ORIGIN, b"l" * 32)
OTHER = SignerKey.from_seed("example.com/other", b"o" * 32)
WITNESSES = [
    SignerKey.from_seed(f"witness.example/{n}", bytes([n]) * 32, COSIGNATURE) for n in range(4)
]
W = [str(witness.vkey) for witness in WITNESSES]
TWO_OF_THREE = f"""\
# what the auditors agreed on
log {LOG.vkey} https://log.example.com/

\twitness a {W[0]}\t
witness b {W[1]} https://b.example/
witness c {W[2]}
group both 2 a b c
quorum both
"""


def note(by: Sequence[int] = (), *, text: bytes = TEXT, log: SignerKey = LOG) -> bytes:
    return write_note(text, [log.sign(text), *(cosign(WITNESSES[n], text, 1) for n in by)])


def test_a_policy_says_whom_it_trusts() -> None:
    policy = parse_policy(TWO_OF_THREE)

    assert [log.key for log in policy.logs] == [LOG.vkey]
    assert policy.logs[0].url == "https://log.example.com/"
    assert [(w.name, w.url) for w in policy.witnesses] == [
        ("a", None),
        ("b", "https://b.example/"),
        ("c", None),
    ]
    assert policy.groups == (Group("both", 2, ("a", "b", "c")),)
    assert policy.quorum == "both"
    assert parse_policy(TWO_OF_THREE.encode()) == policy


@pytest.mark.parametrize("by", [(0, 1), (1, 2), (0, 1, 2), (2, 0, 3)], ids=str)
def test_a_quorum_of_witnesses_makes_a_checkpoint_believed(by: tuple[int, ...]) -> None:
    assert parse_policy(TWO_OF_THREE).verify_checkpoint(note(by)).head == HEAD


@pytest.mark.parametrize("by", [(), (0,), (3,), (2, 3), (1, 1)], ids=str)
def test_fewer_witnesses_do_not(by: tuple[int, ...]) -> None:
    """A witness the policy does not name is no witness, and one that signs twice is one."""
    with pytest.raises(EvidenceError, match="quorum 'both' is not met") as refusal:
        parse_policy(TWO_OF_THREE).verify_checkpoint(note(by))
    assert refusal.value.code == "quorum"


def test_witnesses_do_not_stand_in_for_the_log() -> None:
    lines = [cosign(witness, TEXT, 1) for witness in WITNESSES]
    with pytest.raises(EvidenceError) as refusal:
        parse_policy(TWO_OF_THREE).verify_checkpoint(write_note(TEXT, lines))
    assert refusal.value.code == "key_unknown"


def test_a_witness_with_the_name_of_the_log_does_not_stand_in_for_it_either() -> None:
    namesake = SignerKey.from_seed(ORIGIN, b"n" * 32, COSIGNATURE)
    policy = parse_policy(f"log {LOG.vkey}\nwitness w {namesake.vkey}\nquorum w\n")
    seen = cosign(namesake, TEXT, 1)

    with pytest.raises(EvidenceError) as refusal:
        policy.verify_checkpoint(write_note(TEXT, [seen]))
    assert refusal.value.code == "key_unknown"
    assert policy.verify_checkpoint(write_note(TEXT, [LOG.sign(TEXT), seen])).head == HEAD


def test_a_log_not_listed_is_not_believed_whoever_witnessed_it() -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_policy(TWO_OF_THREE).verify_checkpoint(note((0, 1, 2), log=OTHER))
    assert refusal.value.code == "key_unknown"


def test_a_listed_log_speaks_for_its_own_origin_only() -> None:
    policy = parse_policy(f"log {LOG.vkey}\nlog {OTHER.vkey}\nquorum none\n")

    assert policy.verify_checkpoint(note()).head == HEAD
    with pytest.raises(EvidenceError) as refusal:
        policy.verify_checkpoint(note(log=OTHER))
    assert refusal.value.code == "key_unknown"


def test_one_wrong_cosignature_of_a_listed_witness_rejects_the_checkpoint() -> None:
    """Even where the others suffice: rule of signed notes, and a sign of tampering."""
    wrong = signature_line(WITNESSES[2].vkey, bytes(72))
    with pytest.raises(EvidenceError, match=r"witness\.example/2") as refusal:
        parse_policy(TWO_OF_THREE).verify_checkpoint(note((0, 1)) + wrong)
    assert refusal.value.code == "signature"
    unlisted = signature_line(WITNESSES[3].vkey, bytes(72))
    parse_policy(TWO_OF_THREE).verify_checkpoint(note((0, 1)) + unlisted)


def test_a_cosignature_of_another_checkpoint_does_not_count() -> None:
    other = write_checkpoint(ORIGIN, TreeHead(6, HEAD.root))
    with pytest.raises(EvidenceError) as refusal:
        parse_policy(TWO_OF_THREE).verify_checkpoint(note((0,)) + cosign(WITNESSES[1], other, 1))
    assert refusal.value.code == "signature"


def test_one_key_alone_is_a_policy_that_asks_for_no_witness() -> None:
    policy = Policy.for_vkey(LOG.vkey)

    assert policy == parse_policy(f"log {LOG.vkey}\nquorum none\n")
    assert policy.verify_checkpoint(sign_checkpoint(ORIGIN, HEAD, LOG)).head == HEAD
    assert policy.verify_checkpoint(note((0, 3))).head == HEAD


def test_a_witness_key_alone_is_no_policy() -> None:
    with pytest.raises(EvidenceError, match="not one for a log") as refusal:
        Policy.for_vkey(WITNESSES[0].vkey)
    assert refusal.value.code == "policy_invalid"


def test_a_policy_without_logs_is_read_and_believes_nothing() -> None:
    policy = parse_policy("quorum none\n")
    with pytest.raises(EvidenceError) as refusal:
        policy.verify_checkpoint(note())
    assert refusal.value.code == "key_unknown"


def test_groups_may_be_members_and_a_single_witness_a_quorum() -> None:
    lines = "".join(f"witness w{n} {key}\n" for n, key in enumerate(W))
    nested = parse_policy(
        f"{lines}group left any w0 w1\ngroup right all w2 w3\ngroup all all left right\nquorum all\n"
    )
    assert nested.is_quorum({"w1", "w2", "w3"})
    assert not nested.is_quorum({"w0", "w1", "w2"})
    assert not nested.is_quorum({"w2", "w3"})
    single = parse_policy(f"{lines}quorum w2\n")
    assert single.is_quorum({"w2"})
    assert not single.is_quorum({"w0", "w1", "w3"})


def test_thirty_two_logs_witnesses_and_groups_are_supported() -> None:
    lines = []
    for n in range(32):
        log = SignerKey.from_seed(f"log.example/{n}", bytes([n, 1]) * 16)
        witness = SignerKey.from_seed(f"w.example/{n}", bytes([n, 2]) * 16, COSIGNATURE)
        lines += [f"log {log.vkey}", f"witness w{n} {witness.vkey}"]
    chain = ["group g0 all w0", *(f"group g{n} all g{n - 1} w{n}" for n in range(1, 32))]
    policy = parse_policy("\n".join([*lines, *chain, "quorum g31", ""]))

    assert policy.is_quorum({f"w{n}" for n in range(32)})
    assert not policy.is_quorum({f"w{n}" for n in range(1, 32)})


def test_a_chain_of_groups_is_decided_however_long() -> None:
    chain = "".join(f"group g{n} all g{n - 1}\n" for n in range(1, 5000))
    policy = parse_policy(f"witness w {W[0]}\ngroup g0 any w\n{chain}quorum g4999\n")

    assert policy.is_quorum({"w"})
    assert not policy.is_quorum(set())


def test_names_are_octets() -> None:
    """The Kelvin sign is no K, and bytes that are not UTF-8 are names too."""
    text = f"witness K {W[0]}\nwitness \u212a {W[1]}\n".encode()
    text += b"witness \xff " + W[2].encode() + b"\nwitness \xfe " + W[3].encode() + b"\n"
    policy = parse_policy(text + b"quorum \xfe\n")

    assert len({witness.name for witness in policy.witnesses}) == 4
    assert policy.is_quorum({policy.witnesses[3].name})
    assert not policy.is_quorum({policy.witnesses[2].name})


MLDSA = VerifierKey.of("q", MLDSA44, bytes(1312))
ABC = f"witness a {W[0]}\nwitness b {W[1]}\nwitness c {W[2]}\n"
SAME_KEY = VerifierKey.of("witness.example/alias", COSIGNATURE, WITNESSES[0].vkey.public)
SAME_LOG = VerifierKey.of("example.com/alias", 1, LOG.vkey.public)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 0, "nothing"),
        ("quorum none", 0, "no newline at the end: it may be cut off"),
        (f"log {LOG.vkey}\n", 0, "no quorum"),
        ("quorum none\r\n", 0, "CRLF"),
        ("quorum none\x00\n", 0, "NUL"),
        ("quorum none\x7f\n", 0, "DEL"),
        ("quorum \ud800\n", 0, "a lone surrogate"),
        ("quorum none\nquorum none\n", 2, "two quorums"),
        ("quorum\n", 1, "a quorum of nothing"),
        ("quorum a b\n", 1, "a quorum of two names"),
        ("quorum a\n", 1, "a quorum of an unknown name"),
        (f"quorum a\nwitness a {W[0]}\n", 1, "a quorum of a later name"),
        ("QUORUM none\n", 1, "an upper-case word"),
        ("trust everybody\nquorum none\n", 1, "an unknown word"),
        ("log\nquorum none\n", 1, "a log without a key"),
        ("log nonsense\nquorum none\n", 1, "a log with a broken key"),
        (f"log {LOG.vkey} url more\nquorum none\n", 1, "a log with four words"),
        (f"log {W[0]}\nquorum none\n", 1, "a log with the key of a witness"),
        (f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n", 2, "a log twice"),
        (f"log {LOG.vkey}\nlog {SAME_LOG}\nquorum none\n", 2, "a log under two names"),
        (f"witness a {LOG.vkey}\nquorum none\n", 1, "a witness with the key of a log"),
        (f"witness none {W[0]}\nquorum none\n", 1, "a witness called none"),
        (f"witness a {W[0]}\nwitness a {W[1]}\nquorum a\n", 2, "a name twice"),
        (f"witness a {W[0]}\nwitness b {SAME_KEY}\nquorum a\n", 2, "a witness under two names"),
        (ABC + "group g 2 a b d\nquorum g\n", 4, "an unknown member"),
        (ABC + "group g 1 none\nquorum g\n", 4, "none as a member"),
        (ABC + "group g 1 g\nquorum g\n", 4, "a group in itself"),
        (ABC + "group g 1 a a\nquorum g\n", 4, "a member twice in one group"),
        (ABC + "group g 1 a b\ngroup h 1 b c\nquorum h\n", 5, "a member of two groups"),
        (ABC + "group a 1 b c\nquorum a\n", 4, "a group with the name of a witness"),
        (ABC + "group none 1 b c\nquorum none\n", 4, "a group called none"),
        (ABC + "group g all\nquorum g\n", 4, "a group of nobody"),
        (ABC + "group g 0 a b\nquorum g\n", 4, "a threshold of 0"),
        (ABC + "group g 3 a b\nquorum g\n", 4, "a threshold over the members"),
        (ABC + "group g 02 a b\nquorum g\n", 4, "a threshold with a leading zero"),
        (ABC + "group g +1 a b\nquorum g\n", 4, "a threshold with a sign"),
        (ABC + "group g ALL a b\nquorum g\n", 4, "an upper-case threshold"),
        (ABC + "quorum a # the best\n", 4, "a comment behind"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() and value else "",
)
def test_a_broken_policy_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_policy(text)
    assert refusal.value.code == "policy_invalid", why
    assert refusal.value.facts == ({"line": line} if line else {})
    refusal.value.message.encode()


def test_log_and_witness_may_use_ml_dsa_44() -> None:
    policy = parse_policy(f"log {MLDSA}\nwitness a {MLDSA}\nquorum a\n")
    assert policy.logs[0].key == policy.witnesses[0].key == MLDSA


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.integers(0, len(TWO_OF_THREE)), st.integers(0, 20), st.binary(max_size=3))
def test_a_changed_policy_is_read_or_refused_and_never_asks_for_less_unseen(
    at: int, cut: int, put: bytes
) -> None:
    original = TWO_OF_THREE.encode()
    try:
        policy = parse_policy(original[:at] + put + original[at + cut :])
    except EvidenceError as error:
        assert error.code == "policy_invalid"  # noqa: PT017  either outcome is right
        return
    names = {witness.name for witness in policy.witnesses} | {g.name for g in policy.groups}
    assert policy.quorum in names | {"none"}
    assert all(set(group.members) <= names for group in policy.groups)
    assert all(1 <= group.threshold <= len(group.members) for group in policy.groups)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_as_a_policy_with_its_own_code(data: bytes) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_policy(data)
    assert refusal.value.code == "policy_invalid"
