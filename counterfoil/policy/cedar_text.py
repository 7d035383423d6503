"""Cedar policy text as people wrote it: where each policy and each word stands, and its limits.

The engine's parser says what is wrong but not where, and a text nested a thousand levels deep
ends the process it runs in (a stack overflow in native code, which no `except` catches).  So the
text is read here first: cut into policies, bounded, every token with its position.  Nothing here
decides what a policy means; the cut is checked against the engine's own (`engine.PolicySet`).

Source: the grammar of the Cedar policy language 4.5, https://docs.cedarpolicy.com, lexical part:
`//` comments, strings with backslash escapes, identifiers, `::` and operators.  A semicolon ends
a policy and stands nowhere else outside strings and comments.
"""

import bisect
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from counterfoil.errors import RequestError

TEXT_BYTES_MAX: Final = 1 << 20
POLICIES_MAX: Final = 2_000
# Per policy.  In a thread of 1 MiB the engine's stack gives way at 75 brackets within each other,
# or at 165 operators in a row; usual threads have eight times that.
TOKENS_MAX: Final = 1_000
WORD_CHARACTERS_MAX: Final = 1_024
DEPTH_MAX: Final = 40
OPERATORS_MAX: Final = 100

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<token> "(?:[^"\\]|\\.)*" | \w+ | :: | [=!<>]= | && | \|\| | . )""",
    re.VERBOSE | re.DOTALL,
)

# What stands between the parts of a long expression, each a level of the engine's tree.
_OPERATORS: Final = frozenset({"&&", "||", "+", "-", "*", ".", "!"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text and where it begins, counted in characters from 0."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The tokens of one policy with the semicolon that ends it."""

    tokens: tuple[Token, ...]


class CedarText:
    """A text cut into statements.

    Args:
        text: the policies, as written.

    Raises:
        RequestError: `policy_refused`, when the text passes a limit of this module or a string
            in it has no end; the facts `line`, `column` and `position` say where.

    Cost: one pass over the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        try:
            size_bytes = len(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            self.refuse(error.start, "the policies are no Unicode text")
        if size_bytes > TEXT_BYTES_MAX:
            self.refuse(0, f"the policies are longer than {TEXT_BYTES_MAX:,} bytes")
        self.statements = self._cut()

    def place(self, position: int) -> tuple[int, int]:
        """Return line and column of a position, both counted from 1."""
        line = bisect.bisect_right(self._line_starts, position)
        return line, position - self._line_starts[line - 1] + 1

    def refuse(self, position: int, words: str) -> NoReturn:
        """Refuse the text for what stands at `position`."""
        line, column = self.place(position)
        raise RequestError(
            "policy_refused",
            f"line {line}, column {column}: {_one_line(words)}",
            line=line,
            column=column,
            position=position,
        )

    def source(self, statement: Statement) -> str:
        """Return the text of a statement as written, without what stands before and behind it."""
        first, last = statement.tokens[0], statement.tokens[-1]
        return self.text[first.position : last.position + len(last.text)]

    def _cut(self) -> tuple[Statement, ...]:
        statements: list[Statement] = []
        tokens: list[Token] = []
        for match in _TOKEN.finditer(self.text):
            if match["token"] is None:
                continue
            tokens.append(Token(match["token"], match.start()))
            if len(tokens) > TOKENS_MAX:
                self.refuse(tokens[0].position, f"a policy of more than {TOKENS_MAX:,} words")
            if tokens[-1].text == ";":
                statements.append(self._bounded(tokens))
                tokens = []
            if len(statements) > POLICIES_MAX:
                self.refuse(match.start(), f"more than {POLICIES_MAX:,} policies")
        if tokens:
            statements.append(self._bounded(tokens))
        return tuple(statements)

    def _bounded(self, tokens: list[Token]) -> Statement:
        depth = operators = 0
        for token in tokens:
            if token.text == '"':
                self.refuse(token.position, "a string without an end")
            if len(token.text) > WORD_CHARACTERS_MAX:
                self.refuse(token.position, f"a word over {WORD_CHARACTERS_MAX:,} characters")
            depth = max(depth + _opens(token.text), 0)
            if depth > DEPTH_MAX:
                self.refuse(token.position, f"nested deeper than {DEPTH_MAX} levels")
            operators += token.text in _OPERATORS
            if operators > OPERATORS_MAX:
                self.refuse(token.position, f"a policy of more than {OPERATORS_MAX} operators")
        return Statement(tuple(tokens))


def words_of(text: str) -> tuple[str, ...]:
    """Return the tokens of a piece of policy text, such as a name in an engine's message."""
    return tuple(match["token"] for match in _TOKEN.finditer(text) if match["token"])


def find(statement: Statement, words: tuple[str, ...], *, last: bool = False) -> int | None:
    """Return where `words` stand one behind the other in a statement, or None.

    Args:
        statement: where to look.
        words: tokens, at least one.
        last: the last place instead of the first.
    """
    tokens = statement.tokens
    places = [
        tokens[at].position
        for at in range(len(tokens) - len(words) + 1)
        if all(tokens[at + ahead].text == word for ahead, word in enumerate(words))
    ]
    if not places:
        return None
    return places[-1] if last else places[0]


def _opens(token: str) -> int:
    # An `if` needs no bracket to be nested; it never closes, so a policy has at most 40.
    if token in {"(", "[", "{", "if"}:
        return 1
    return -1 if token in {")", "]", "}"} else 0


def _one_line(words: str) -> str:
    """Return words that fit on one line of a terminal, whatever was quoted in them."""
    return "".join(letter if letter.isprintable() else " " for letter in words)[:300]
