"""A set of access policies: read, checked against the schema, and ready to decide.

What must hold: a set that exists parses, fits the schema, and each policy in it says who it is
(`@id`, unique) and why (`@reason`), for decisions are stored and explained by these.  Where a
text breaks this, the refusal says the line and the column.

Errors come from Cedar without positions.  A word that cannot stand where it stands is found by
parsing beginnings of the policy: every beginning before that word ends too early, none after it
does.  A name the schema does not know is found by looking for it.

Source: Cedar 4.12 through cedarpy; docs/adr/0024.
"""

import functools
import hashlib
import importlib.resources
import re
from typing import Final, NoReturn

import cedarpy
import msgspec
from cedarpy import pst

from counterfoil.policy.cedar_text import POLICIES_MAX, CedarText, Statement, find, words_of
from counterfoil.policy.trees import is_for_verb

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_REASON_CHARACTERS_MAX: Final = 200
_TOO_EARLY: Final = "unexpected end of input"


class Policy(msgspec.Struct, frozen=True):
    """One policy as it stands in its text.

    Args:
        id: value of `@id`.
        reason: value of `@reason`, a line for people.
        effect: "permit" or "forbid".
        line: where it begins, counted from 1.
        source: its text as written.
    """

    id: str
    reason: str
    effect: str
    line: int
    source: str


class PolicySet:
    """Policies that passed every check; immutable, may be shared between threads.

    Attributes:
        text: as it was given.
        digest: SHA-256 of the text in UTF-8, 64 hexadecimal digits.
        policies: by `@id`, in the order of the text.
        trees: the syntax tree of each, by `@id`.
        handle: the engine's own form.
    """

    def __init__(
        self,
        text: str,
        policies: dict[str, Policy],
        trees: dict[str, pst.Template],
        handle: cedarpy.PolicySet,
    ) -> None:
        self.text = text
        self.digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        self.policies = policies
        self.trees = trees
        self.handle = handle
        self._permits: dict[str, tuple[tuple[Policy, pst.Template], ...]] = {}

    @classmethod
    def parse(cls, text: str) -> "PolicySet":
        """Read a policy file.

        Args:
            text: Cedar policies, at most 1 MiB and 2,000 of them.

        Raises:
            RequestError: `policy_refused`, with the facts `line` and `column`, counted from 1,
                and `position`, in characters from 0: text that is no Cedar, a name the schema
                does not know, a type that does not fit, a policy without `@id` or `@reason`, a
                template, an empty set.

        Cost: about 0.3 ms a policy.
        """
        written = CedarText(text)
        try:
            handle = cedarpy.PolicySet.from_str(text)
        except ValueError as error:
            _refuse_syntax(written, str(error))
        if not written.statements:
            written.refuse(0, "the set has no policy: nobody could do anything")
        trees = _trees(written, handle)
        policies: dict[str, Policy] = {}
        by_id: dict[str, pst.Template] = {}
        for statement, tree in zip(written.statements, trees, strict=True):
            policy = _named(written, statement, tree)
            if policy.id in policies:
                at = find(statement, words_of(f'"{policy.id}"')) or statement.tokens[0].position
                written.refuse(at, f"two policies have the @id {policy.id}")
            policies[policy.id], by_id[policy.id] = policy, tree
        _check_schema(written, text)
        return cls(text, policies, by_id, handle)

    def permits(self, verb: str) -> tuple[tuple[Policy, pst.Template], ...]:
        """Return the permits whose head names `verb`, each with its tree.

        Found once a verb; two threads that look at once find the same.
        """
        found = self._permits.get(verb)
        if found is None:
            found = tuple(
                (self.policies[name], tree)
                for name, tree in self.trees.items()
                if tree.effect == "permit" and is_for_verb(tree, verb)
            )
            self._permits[verb] = found
        return found

    def with_ids(self, message: str) -> str:
        """Return an engine's message with our `@id` for its `policy7`."""
        names = tuple(self.policies)
        return re.sub(r"`policy(\d+)`", lambda found: f"`{names[int(found[1])]}`", message)


@functools.cache
def schema() -> cedarpy.Schema:
    """Return the schema all policies and requests must fit."""
    return cedarpy.Schema.from_str(_packaged("access.cedarschema"))


@functools.cache
def builtin() -> PolicySet:
    """Return the policies a ledger begins with."""
    return PolicySet.parse(_packaged("builtin.cedar"))


def _packaged(name: str) -> str:
    return importlib.resources.files("counterfoil.policy").joinpath(name).read_text("utf-8")


def _trees(written: CedarText, handle: cedarpy.PolicySet) -> list[pst.Template]:
    """Return the syntax trees in the order of the text.

    Cedar numbers the policies of a text from 0.  Should its count ever differ from ours, the
    positions we speak of would be wrong, so such a text is refused.
    """
    try:
        parsed = handle.to_pst()
    except ValueError as error:
        written.refuse(0, f"a policy the engine cannot show: {error}")
    for name in parsed.templates:
        statement = written.statements[_index(name)]
        at = find(statement, ("?",)) or statement.tokens[0].position
        written.refuse(at, "a template grants nothing by itself: name the principal and resource")
    names = [f"policy{number}" for number in range(len(written.statements))]
    if sorted(names) != sorted(parsed.static_policies):
        written.refuse(0, "the engine counts the policies otherwise: write one after the other")
    return [parsed.static_policies[name] for name in names]


def _named(written: CedarText, statement: Statement, tree: pst.Template) -> Policy:
    start = statement.tokens[0].position
    name, reason = tree.annotations.get("id", ""), tree.annotations.get("reason", "")
    if not _ID.fullmatch(name):
        at = find(statement, ("@", "id")) or start
        written.refuse(at, '@id("NAME") is missing or no name: a-z, 0-9 and -, at most 64')
    if not (0 < len(reason) <= _REASON_CHARACTERS_MAX and reason.isprintable()):
        at = find(statement, ("@", "reason")) or start
        written.refuse(at, f'@reason("...") of {name} is missing or no line of 1 to 200 characters')
    return Policy(name, reason, tree.effect, written.place(start)[0], written.source(statement))


def _check_schema(written: CedarText, text: str) -> None:
    found = cedarpy.validate_policies(text, schema())
    if found.validation_passed and not found.errors:
        return
    errors = sorted(found.errors, key=lambda error: _index(error.policy_id))
    if not errors:
        written.refuse(0, "the policies do not fit the schema")
    statement = written.statements[_index(errors[0].policy_id)]
    message = re.sub(r"^for policy `policy\d+`[:,] ", "", errors[0].error)
    written.refuse(_named_place(statement, message), message)


def _index(engine_name: str) -> int:
    """Return the place of `policy7` in the text: 7.  What has no number stands at the beginning."""
    number = engine_name.removeprefix("policy")
    return min(int(number), POLICIES_MAX) if number.isdecimal() else 0


def _named_place(statement: Statement, message: str) -> int:
    """Return where the name stands that an engine's message quotes, or the policy's beginning."""
    for quoted in re.findall(r"`(.+?)`", message):
        words = words_of(quoted)
        at = find(statement, words) if words else None
        if at is not None:
            return at
    return statement.tokens[0].position


def _refuse_syntax(written: CedarText, whole: str) -> NoReturn:
    """Say where a text that does not parse goes wrong, and why."""
    for statement in written.statements:
        message = _parse_error(written.source(statement))
        if message is not None:
            written.refuse(_syntax_place(written, statement, message), message)
    written.refuse(0, whole)


def _syntax_place(written: CedarText, statement: Statement, message: str) -> int:
    tokens = statement.tokens
    start = tokens[0].position
    if message == _TOO_EARLY:
        return tokens[-1].position + len(tokens[-1].text)

    def is_wrong(count: int) -> bool:
        end = tokens[count - 1].position + len(tokens[count - 1].text)
        return _parse_error(written.text[start:end]) not in {None, _TOO_EARLY}

    low, high = 1, len(tokens)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_wrong(middle) else (middle + 1, high)
    reached = Statement(tokens[:low])
    # What the parser names stands at or before the word at which it gave up.
    unexpected = message.startswith("unexpected token")
    repeated = message.startswith("duplicate")
    for name in re.findall(r"[`'](.+?)[`']", message) or re.findall(r": ([@\w:]+)$", message):
        words = words_of(name)
        at = find(reached, words, last=unexpected or repeated) if words else None
        if at is None:
            # Part of a word, such as an escape within a string.
            inside = written.text.find(name, start, tokens[low - 1].position)
            at = inside if inside >= 0 else None
        if at is not None:
            return at
    return tokens[low - 1].position


def _parse_error(text: str) -> str | None:
    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error)
    return None
