"""YAML as people write it by hand, and no more of it.

A strict, small part of YAML 1.2: block mappings and lists, plain and quoted values of one line,
lists and mappings of such values on one line, comments.  Every value is text.  Anchors, aliases,
tags, merges, block text, several documents and duplicate keys are refused, each with its line: so
no file grows while it is read, and none means another thing to another reader.

What must hold: what is accepted here, any YAML reader takes for the same texts; the tests hold a
second reader beside it.  Source: YAML 1.2.2, chapters 6 to 8.  Pure; no recursion deeper than
`DEPTH_MAX`.  Cost: about 3 us a line.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

DEPTH_MAX: Final = 8
_KEY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*):(?: +(.*)|)$")
_FLOW_KEY: Final = re.compile(r" *([A-Za-z_][A-Za-z0-9_-]*): +")
_DOUBLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SINGLE: Final = re.compile(r"'(?:[^']|'')*'")
_SPACES: Final = re.compile(r" *")
_FLOW_PLAIN: Final = re.compile(r"[^,\[\]{}]*")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
# What begins something else than a plain value (YAML 1.2.2, rule [126]), and "-?:", which may.
_INDICATORS: Final = frozenset("-?:,[]{}#&*!|>'\"%@`")
# Beyond these no character is text: controls, and what some readers take for the end of a line.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


class YamlError(ValueError):
    """What is no such YAML: `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line it begins on, from 1: text, a list, or a mapping by key."""

    line: int
    value: "str | list[Node] | dict[str, Node]"


@dataclass(slots=True)
class _Line:
    number: int
    indent: int
    text: str


def read_yaml(text: str) -> Node:
    """Return what a document holds; an empty one is an empty mapping.

    Raises:
        YamlError: it is not of the part of YAML that is read here.

    >>> read_yaml("teams: [a, 'b']").value["teams"].value[1].value
    'b'
    """
    lines = _lines(text)
    if not lines:
        return Node(1, {})
    reader = _Reader(lines)
    found = reader.block(lines[0].indent, 1)
    if (left := reader.peek()) is not None:
        raise YamlError(left.number, "the indentation fits nothing above")
    return found


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    begun = False
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if (bad := _FORBIDDEN.search(raw)) is not None:
            raise YamlError(number, f"the character U+{ord(bad[0]):04X} is no text")
        if "\t" in raw:
            raise YamlError(number, "a tab; use spaces")
        content = raw.strip(" ")
        if not content or content.startswith("#"):
            continue
        if raw.rstrip(" ") == "---" and not begun and not found:
            begun = True
            continue
        found.append(_Line(number, len(raw) - len(raw.lstrip(" ")), content))
    return found


class _Reader:
    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._at = 0

    def peek(self) -> _Line | None:
        return self._lines[self._at] if self._at < len(self._lines) else None

    def block(self, indent: int, depth: int) -> Node:
        """Read the list or mapping whose first line is next."""
        line = self._lines[self._at]
        if depth > DEPTH_MAX:
            raise YamlError(line.number, f"nested deeper than {DEPTH_MAX} levels")
        if _is_item(line.text):
            return Node(line.number, self._items(indent, depth))
        return Node(line.number, self._members(indent, depth))

    def _items(self, indent: int, depth: int) -> list[Node]:
        found = []
        while (line := self._next(indent)) is not None and _is_item(line.text):
            rest = line.text[1:].lstrip(" ")
            if not rest or rest.startswith("#"):
                self._at += 1
                found.append(self._below(line, indent, depth))
            elif _is_item(rest) or _KEY.match(rest):
                # A list or mapping that begins on the line of its dash stands at its own column.
                line.indent += len(line.text) - len(rest)
                line.text = rest
                found.append(self.block(line.indent, depth + 1))
            else:
                self._at += 1
                found.append(_inline(rest, line.number))
        return found

    def _members(self, indent: int, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while (line := self._next(indent)) is not None and not _is_item(line.text):
            match = _KEY.match(line.text)
            if match is None:
                raise YamlError(line.number, f"expected KEY: VALUE, not {line.text[:40]!a}")
            key, rest = match[1], (match[2] or "").strip(" ")
            if key in found:
                raise YamlError(
                    line.number, f"{key} stands here twice, first on line {found[key].line}"
                )
            self._at += 1
            if rest and not rest.startswith("#"):
                value = _inline(rest, line.number)
            else:
                value = self._below(line, indent, depth, may_be_level=True)
            found[key] = Node(line.number, value.value)
        return found

    def _next(self, indent: int) -> _Line | None:
        """Return the next line if it stands at `indent`, None if it ends the block."""
        line = self.peek()
        if line is not None and line.indent > indent:
            raise YamlError(line.number, "indented without reason; a value is on one line")
        return line if line is not None and line.indent == indent else None

    def _below(self, head: _Line, indent: int, depth: int, *, may_be_level: bool = False) -> Node:
        line = self.peek()
        if line is not None and (
            line.indent > indent or (may_be_level and line.indent == indent and _is_item(line.text))
        ):
            return self.block(line.indent, depth + 1)
        raise YamlError(head.number, f'no value after {head.text[:40]!a}; write "" or leave it out')


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _inline(text: str, number: int) -> Node:
    """Read a value that stands on one line, up to its end or a comment."""
    value: str | list[Node] | dict[str, Node]
    if text[0] in "[{":
        value, end = _flow(text, number)
    elif text[0] in "\"'":
        value, end = _quoted(text, 0, number)
    else:
        return Node(number, _plain(text.partition(" #")[0].rstrip(" "), number))
    after = text[end:].lstrip(" ")
    if after and (text[end] != " " or not after.startswith("#")):
        raise YamlError(number, f"{after[:40]!a} after the end of a value")
    return Node(number, value)


def _quoted(text: str, at: int, number: int) -> tuple[str, int]:
    """Read the quoted text that begins at `at`; return it and where it ends."""
    match = (_DOUBLE if text[at] == '"' else _SINGLE).match(text, at)
    if match is None:
        raise YamlError(number, "a quotation mark is not closed on its line")
    if text[at] == "'":
        return match[0][1:-1].replace("''", "'"), match.end()
    try:
        value = json.loads(match[0])
    except ValueError:
        value = None
    if not isinstance(value, str) or _SURROGATE.search(match[0]):
        raise YamlError(number, "an escape in quotation marks that is none of JSON's")
    return value, match.end()


def _plain(text: str, number: int) -> str:
    if text[0] in _INDICATORS:
        raise YamlError(
            number, f"{text[:40]!a} begins with {text[0]}: put it in quotation marks if it is text"
        )
    if ": " in text or text.endswith(":"):
        raise YamlError(number, f"{text[:40]!a}: put it in quotation marks")
    return text


def _flow(text: str, number: int) -> tuple[list[Node] | dict[str, Node], int]:
    """Read a list or mapping of texts on one line; return it and where it ends.

    By position: what is left is never copied, so a line costs what it is long.
    """
    end = "]" if text[0] == "[" else "}"
    items: list[Node] = []
    members: dict[str, Node] = {}
    at = _past_spaces(text, 1)
    while not text.startswith(end, at) or items or members:
        key = ""
        if end == "}":
            if (match := _FLOW_KEY.match(text, at)) is None:
                raise YamlError(number, f"expected KEY: VALUE in {{}}, not {text[at : at + 40]!a}")
            key, at = match[1], match.end()
            if key in members:
                raise YamlError(number, f"{key} stands here twice")
        value, at = _flow_value(text, _past_spaces(text, at), number)
        if key:
            members[key] = value
        else:
            items.append(value)
        at = _past_spaces(text, at)
        if text.startswith(end, at):
            break
        if not text.startswith(",", at):
            raise YamlError(number, f"a {text[0]} is not closed on its line")
        at = _past_spaces(text, at + 1)
    return (items if end == "]" else members), at + 1


def _past_spaces(text: str, at: int) -> int:
    match = _SPACES.match(text, at)
    return match.end() if match is not None else at


def _flow_value(text: str, at: int, number: int) -> tuple[Node, int]:
    if text.startswith(('"', "'"), at):
        value, end = _quoted(text, at, number)
        return Node(number, value), end
    match = _FLOW_PLAIN.match(text, at)
    plain = match[0].rstrip(" ") if match is not None else ""
    if not plain or " #" in plain:
        raise YamlError(number, "between [ ] and { } stand texts, separated by commas")
    return Node(number, _plain(plain, number)), at + len(plain)
