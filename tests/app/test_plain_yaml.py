"""The part of YAML that is read: the same texts as another reader sees, or a refusal with its line."""

import importlib
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.app.plain_yaml import DEPTH_MAX, Node, YamlError, read_yaml

yaml: Any = importlib.import_module("yaml")


def plain(node: Node) -> Any:
    """Return a node without its lines."""
    if isinstance(node.value, list):
        return [plain(one) for one in node.value]
    if isinstance(node.value, dict):
        return {key: plain(one) for key, one in node.value.items()}
    return node.value


def other(text: str) -> Any:
    """Return what PyYAML reads, every value as text."""
    return yaml.load(text, Loader=yaml.BaseLoader)


ACCEPTED = {
    "a mapping": "a: b\nc: d e\n",
    "a list in a mapping": "a:\n  - b\n  - c d\n",
    "a list at the level of its key": "a:\n- b\n- c\nd: e\n",
    "mappings in a list": "a:\n  - b: c\n    d: e\n  - b: f\n",
    "a mapping below its dash": "a:\n  -\n    b: c\n",
    "lists in a list": "- - a\n  - b\n- c\n",
    "a wide dash": "-   a: b\n    c: d\n",
    "on one line": "a: [b, c-d, 'e f', \"g\"]\nh: {i: j, k: l:m}\nn: []\n",
    "single quotes": "a: 'it''s: # here'\n",
    "double quotes": 'a: "\\u00e9 \\"x\\" \\\\ # :"\n',
    "comments": "# first\na: b # c\n\n  # deeper\nc: d#e\nf: # below\n  - g\n",
    "a document mark": "---\na: b\n",
    "colons without a space": "a: github.com:ana-dev\nb: http://x/y\n",
    "other scripts": "a: Аня Öl 漢字\n",
    "what YAML 1.1 takes for no text": "a: no\nb: 1e3\nc: 012\nd: ~\ne: 2026-01-01\nf: null\n",
    "line ends of another system": "a: b\r\nc:\r\n  - d\r\n",
    "spaces at the end": "a: b   \nc:   \n  - d  \n",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_read_is_what_another_reader_reads(text: str) -> None:
    assert plain(read_yaml(text)) == other(text)


REFUSED = {
    "an anchor": (1, "a: &b c\n"),
    "an alias": (2, "a: b\nc: *b\n"),
    "a bomb of aliases": (1, "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
    "a merge": (2, "a: b\n<<: c\n"),
    "a tag": (1, "a: !!python/object:os.system b\n"),
    "a tag on a list": (1, "a: !x\n  - b\n"),
    "block text": (1, "a: |\n  b\n"),
    "folded text": (1, "a: >-\n  b\n"),
    "a value on two lines": (2, "a: b\n  c\n"),
    "a quotation mark over two lines": (1, 'a: "b\n  c"\n'),
    "a list on two lines": (1, "a: [b,\n  c]\n"),
    "a list in a list on one line": (1, "a: [b, [c]]\n"),
    "a duplicate key": (3, "a: b\nc: d\na: e\n"),
    "a duplicate key on one line": (1, "a: {b: c, b: d}\n"),
    "no value": (1, "a:\nb: c\n"),
    "an empty item": (2, "a:\n  -\nb: c\n"),
    "a comma too many": (1, "a: [b,]\n"),
    "a tab": (2, "a:\n\t- b\n"),
    "a tab within a value": (1, "a: b\tc\n"),
    "no colon": (2, "a: b\nc\n"),
    "a colon too many": (1, "a: b: c\n"),
    "a key in quotation marks": (1, '"a": b\n'),
    "a second document": (2, "a: b\n---\nc: d\n"),
    "a directive": (1, "%YAML 1.2\n---\na: b\n"),
    "less indented than the first": (2, "  a: b\nc: d\n"),
    "indented between": (4, "a:\n    b:\n        c: d\n      e: f\n"),
    "list and mapping mixed": (2, "a: b\n- c\n"),
    "an unknown escape": (1, 'a: "\\x41"\n'),
    "half a character": (1, 'a: "\\ud83d\\ude00"\n'),
    "text after a quotation mark": (1, "a: 'b' c\n"),
    "a comment without a space": (1, "a: 'b'#c\n"),
    "a control character": (2, "a: b\nc: d\x07\n"),
    "a byte order mark": (1, "\ufeffa: b\n"),
    "a line end few know": (1, "a: b\u2028c: d\n"),
    "too deep": (DEPTH_MAX + 1, "".join("  " * n + "a:\n" for n in range(12)) + "  " * 12 + "b: c"),
    "too deep on one line": (1, "- " * 500 + "a"),
}


@pytest.mark.parametrize(("line", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_read_is_refused_with_its_line(line: int, text: str) -> None:
    with pytest.raises(YamlError) as refused:
        read_yaml(text)

    assert refused.value.line == line
    assert "\n" not in refused.value.message


PIECES = st.lists(
    st.sampled_from(
        ["a", "b", ":", ": ", " ", "\n", "\n  ", "- ", "-", "[", "]", "{", "}", ", ", "'", '"', "#",
         " # ", "&", "*", "|", "?", "!", "\\", "<<", "---\n", "é", "0", "~", ".", "@", "%", "\t"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@settings(max_examples=1_000, derandomize=True, deadline=None)
@given(PIECES)
def test_nothing_is_read_that_another_reader_takes_for_something_else(text: str) -> None:
    """A file must not mean one thing to whoever reviews it and another one here."""
    try:
        found = plain(read_yaml(text))
    except YamlError:
        return
    assert found == (other(text) or {})


class Counted(str):
    """A text that counts the characters that are copied out of it, and out of its copies."""

    __slots__ = ()
    copied: ClassVar[int] = 0

    def __getitem__(self, key: Any) -> str:
        """Return a part, counted."""
        return self._count(super().__getitem__(key))

    def lstrip(self, chars: str | None = None, /) -> str:
        """Return what is left, counted."""
        return self._count(super().lstrip(chars))

    def strip(self, chars: str | None = None, /) -> str:
        """Return what is left, counted."""
        return self._count(super().strip(chars))

    def replace(self, before: str, after: str, count: Any = -1, /) -> str:
        """Return a copy, counted."""
        return self._count(super().replace(before, after, count))

    def split(self, sep: str | None = None, maxsplit: Any = -1) -> list[str]:
        """Return the parts, counted."""
        return [self._count(one) for one in super().split(sep, maxsplit)]

    @classmethod
    def _count(cls, text: str) -> "Counted":
        cls.copied += len(text)
        return cls(text)


@pytest.mark.parametrize(
    "line", ["- [" + "'', " * 2_000 + "x]", "- {" + "".join(f"k{n}: '', " for n in range(2_000)) + "k: x}"],
    ids=["a list", "a mapping"],
)  # fmt: skip
def test_a_long_line_is_copied_a_few_times_and_not_for_each_of_its_items(line: str) -> None:
    """A file of 2 MB would keep the server busy for a minute."""
    Counted.copied = 0

    [item] = plain(read_yaml(Counted(line)))

    assert len(item) == 2_001
    assert len(line) <= Counted.copied < 10 * len(line)
