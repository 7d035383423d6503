"""A policy file is whole and right, or it is refused with the line and the column."""

import subprocess
import sys

import pytest

from counterfoil.errors import RequestError
from counterfoil.policy import cedar_text
from counterfoil.policy.policy_set import PolicySet, builtin

HEAD = '@id("a")\n@reason("why")\n'
TEAM = HEAD + 'permit (principal in Team::"a", action, resource)'


def refused(text: str) -> tuple[int, int, str]:
    with pytest.raises(RequestError) as refusal:
        PolicySet.parse(text)
    error = refusal.value
    assert error.code == "policy_refused"
    assert "\n" not in error.message
    line, column, position = (error.facts[name] for name in ("line", "column", "position"))
    assert isinstance(position, int)
    assert isinstance(line, int)
    assert isinstance(column, int)
    before = text[:position]
    assert (before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1) == (line, column)
    return line, column, error.message


# What is written, the word the refusal must stand at, and what it says.
WRONG = {
    "a comma is missing": (
        HEAD + 'permit (principal,\n  action == Action::"read" resource);', "resource);", "token"),
    "a condition without its word": (
        HEAD + "permit (principal, action, resource) whn { true };", "whn", "condition: whn"),
    "a brace is missing": (HEAD + "permit (principal, action, resource) when { true ;", ";", "`;`"),
    "a misspelt variable": (
        HEAD + "permit (principle, action, resource);", "principle", "principle"),
    "one equals sign": (
        HEAD + 'permit (principal, action = Action::"read", resource);', "=", "'='"),
    "another effect": (HEAD + "allow (principal, action, resource);", "allow", "effect: allow"),
    "a method there is not": (
        TEAM + " when { context.authors.containz(principal) };", "containz", "valid method"),
    "a comparison with nothing": (TEAM + " when { principal == };", "}", "`}`"),
    "a string without an end": (TEAM + ' when { "abc };', '"abc', "without an end"),
    "an unknown escape": (TEAM + ' when { "\\q" == "a" };', '\\q"', "escape"),
    "no semicolon": (TEAM, "", "end of input"),
    "two semicolons": (TEAM + ";;", ";", "`;`"),
    "a letter outside": (TEAM + "; ü", "ü", "invalid token"),
    "a mark before the text": ("\ufeff" + TEAM + ";", "\ufeff", "invalid token"),
    "a misspelt action": (
        HEAD + 'permit (principal, action == Action::"aprove", resource);',
        'Action::"aprove"', "unrecognized action"),
    "a misspelt attribute": (TEAM + " when { context.verifed };", "verifed", "`verifed`"),
    "a misspelt role": (
        HEAD + 'permit (principal in Role::"aprover", action, resource);',
        'Role::"aprover"', "not declared"),
    "a misspelt kind": (
        TEAM + ' when { principal.kind == Kind::"persn" };', 'Kind::"persn"', "not declared"),
    "a misspelt tier": (
        HEAD + 'forbid (principal, action, resource in Tier::"prodction");',
        'Tier::"prodction"', "not declared"),
    "a misspelt type": (
        HEAD + 'permit (principal in Teem::"a", action, resource);', "Teem", "entity type"),
    "a string for a kind": (TEAM + ' when { principal.kind == "person" };', "@id", "compatible"),
    "an action that is never about it": (
        HEAD + 'permit (principal, action == Action::"approve", resource is Run);',
        "@id", "applicable action"),
    "a template": (
        HEAD + "permit (principal == ?principal, action, resource);", "?principal", "template"),
    "no @id": ('@reason("b")\npermit (principal, action, resource);', "@reason", "@id"),
    "an @id in capitals": (
        '@reason("b") @id("No") permit (principal, action, resource);', '@id("No")', "@id"),
    "an @id twice in one": (
        '@id("a") @id("b") permit (principal, action, resource);', '@id("b")', "duplicate annotation"),
    "no @reason": ('@id("a") permit (principal, action, resource);', "@id", "@reason"),
    "an empty @reason": (
        '@id("a") @reason("") permit (principal, action, resource);', "@reason", "@reason"),
    "a @reason of two lines": (
        '@id("a") @reason("b\\nc") permit (principal, action, resource);', "@reason", "@reason"),
    "one @id for two": (TEAM + ";\n" + TEAM + ";", '"a")\n@reason("why")\npermit', "two policies"),
    "nothing at all": ("", "", "no policy"),
    "comments alone": ("// nothing\n", "// nothing", "no policy"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "at", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_text_is_refused_with_its_place(text: str, at: str, says: str) -> None:
    line, column, message = refused(text)

    rows = text.split("\n")
    position = sum(len(row) + 1 for row in rows[: line - 1]) + column - 1
    assert text[position:].startswith(at)
    assert says in message


@pytest.mark.parametrize("before", ["", '// a; "comment"\n', "\r\n\r\n", 'é"'[:1] and "// é\n"])
def test_the_place_is_counted_in_the_whole_text(before: str) -> None:
    good = TEAM + ' when { "a;\\"b" == "//" };\n'
    text = (
        before
        + good
        + good.replace('"a"', '"b"', 1).replace("true", "")
        + "\n"
        + (HEAD.replace('"a"', '"c"') + 'permit (principal, action == Action::"no", resource);')
    )

    line, column, _ = refused(text)

    assert (line, column) == (before.count("\n") + 10, 30)


def nested(shape: str, depth: int) -> str:
    expressions = {
        "brackets": "(" * depth + "true" + ")" * depth,
        "ifs": "if true then " * depth + "true" + " else false" * depth,
        "sets": "[" * depth + "1" + "]" * depth + " == [1]",
        "records": "{a: " * depth + "1" + "}" * depth + " == {a: 1}",
        "nots": "!(" * depth + "true" + ")" * depth,
        "ands": " && ".join(["true"] * depth),
        "attributes": "context" + ".a" * depth,
        "sums": "+".join(["1"] * depth) + " > 0",
        "closing first": ")" * depth + "(" * depth + "true" + ")" * depth,
    }
    return TEAM + f" when {{ {expressions[shape]} }};"


SHAPES = (
    "brackets", "ifs", "sets", "records", "nots", "ands", "attributes", "sums", "closing first",
)  # fmt: skip


AT_THE_LIMIT = {
    # One level is the braces of the condition.
    "levels": ("brackets", 39, 40, "nested deeper than 40 levels"),
    "ifs": ("ifs", 39, 40, "nested deeper than 40 levels"),
    "operators": ("ands", 90, 102, "more than 100 operators"),
}


@pytest.mark.parametrize(
    ("shape", "most", "more", "says"), AT_THE_LIMIT.values(), ids=AT_THE_LIMIT.keys()
)
def test_a_policy_may_be_as_long_as_the_limits_say(
    shape: str, most: int, more: int, says: str
) -> None:
    assert list(PolicySet.parse(nested(shape, most)).policies) == ["a"]
    assert says in refused(nested(shape, more))[2]


@pytest.mark.parametrize("depth", [1_000, 40_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_that_would_end_the_process_is_refused(shape: str, depth: int) -> None:
    """Cedar's parser runs out of stack on these, and no exception tells: the process is gone."""
    message = refused(nested(shape, depth))[2]

    assert "more than 1,000 words" in message


PROBE = """
import sys, threading
from counterfoil.errors import RequestError
from counterfoil.policy.policy_set import PolicySet
def parse():
    for text in sys.stdin.read().split("\\0"):
        try:
            PolicySet.parse(text)
        except RequestError as error:
            print(error.code)
threading.stack_size(1 << 21)
thread = threading.Thread(target=parse)
thread.start()
thread.join()
print("alive")
"""


def test_what_the_limits_let_through_does_not_end_the_process() -> None:
    """In a thread with a quarter of the usual stack, at the limits of depth and of operators."""
    texts = [nested(shape, depth) for shape in SHAPES for depth in (38, 39, 40, 99, 100, 480)]
    chain = " && ".join(["true"] * 100)
    texts.append(TEAM + f" when {{ {'(' * 38 + chain + ')' * 38} }};")

    done = subprocess.run(
        [sys.executable, "-c", PROBE], input="\0".join(texts), capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "alive"


def test_too_much_text_is_refused_unread() -> None:
    policies = "".join(
        f'@id("p{number}") @reason("r") permit (principal, action, resource);\n'
        for number in range(cedar_text.POLICIES_MAX + 1)
    )

    assert "more than 2,000 policies" in refused(policies)[2]
    assert "longer than" in refused("//" + "x" * cedar_text.TEXT_BYTES_MAX)[2]
    assert "longer than" in refused("//" + "é" * (cedar_text.TEXT_BYTES_MAX // 2))[2]


def test_a_huge_word_is_refused() -> None:
    """A pattern of a million wildcards would be matched against every name."""
    text = TEAM + f' when {{ context.authors.isEmpty() && "a" like "{"*" * 1_100}" }};'

    assert "a word over 1,024 characters" in refused(text)[2]


def test_half_a_character_is_refused() -> None:
    assert refused("// \ud800") == (1, 4, "line 1, column 4: the policies are no Unicode text")


def test_too_many_words_are_refused() -> None:
    teams = ", ".join(['Team::"a"'] * 260)
    text = HEAD + f"permit (principal, action, resource) when {{ principal in [{teams}] }};"

    assert "more than 1,000 words" in refused(text)[2]
    assert "more than 1,000 words" in refused("(" * 1_000_000)[2]


def test_every_policy_is_kept_as_it_stands_in_the_text() -> None:
    """Also behind the tenth, where the engine's names sort otherwise."""
    text = "".join(
        f'// {number}\n@id("p{number}") @reason("r{number}")\n'
        f"{'permit' if number % 2 else 'forbid'} (principal, action, resource);\n"
        for number in range(25)
    )
    policies = PolicySet.parse(text).policies

    assert list(policies) == [f"p{number}" for number in range(25)]
    for number, policy in enumerate(policies.values()):
        assert policy.reason == f"r{number}"
        assert policy.effect == ("permit" if number % 2 else "forbid")
        assert policy.line == 3 * number + 2
        assert policy.source.startswith(f'@id("p{number}")')
        assert policy.source.endswith(";")


def test_a_set_is_named_by_its_text() -> None:
    assert PolicySet.parse(TEAM + ";").digest != PolicySet.parse(TEAM + "; ").digest
    assert len(builtin().digest) == 64
