"""One event in a few words: what was done to what, past tense, without who did it.

A title is text with fields: `{thing}` is what it happened to, `{content.summary}`,
`{custom.x}` and `{data.x}` are members of the event, `{result}`, `{review}`, `{artifact}`,
`{ident}`, `{service}` and `{task}` are made from several.  A part in `[...]` is left out if a field in it says nothing.

Total: whatever the data is, there is a sentence of at most 200 characters.  It is plain text:
control and bidirectional formatting characters in it become U+FFFD, so it cannot dress up as
something else on a terminal; a page must still escape it.
"""

import re
from collections.abc import Callable, Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.derived import SUBJECT_KINDS, artifact_of
from counterfoil.events.kinds import CDEVENTS
from counterfoil.events.registry import EventType, lookup

LENGTH_MAX = 200
_WORD_MAX = 80

_FIELD = re.compile(r"\{([a-zA-Z_.]+)\}")
_PIECE = re.compile(r"\[(?P<part>[^\]]*)\]|\{(?P<field>[a-zA-Z_.]+)\}")
_SPACE = re.compile(r"\s+")
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_OUTCOMES = {
    "success": "passed",
    "failure": "failed",
    "error": "broke off with an error",
    "cancel": "cancelled",
}
_REVIEWS = {
    "approved": "approved",
    "changes_requested": "asked for changes",
    "commented": "commented",
    "dismissed": "the review was dismissed",
}
_COUNTS = ("passed", "failed", "error", "errors", "skipped", "cancelled")
_KIND_WORDS = {"env": "environment", "repo": "repository"}


def say(type: str, subject: str | None, data: JSON) -> str:  # noqa: A002  as CloudEvents names it
    """Return the event as a phrase such as "finished run 902: 96 passed, 1 failed".

    Args:
        type: the event's type; an unknown one gives "recorded TYPE about SUBJECT".
        subject: the event's subject, as in the entry.
        data: the event's data as far as it is opened; None or {} if it is not.

    Cost: about 10 us.
    """
    known = lookup(type)
    if known is None:
        about = f" about {_plain(subject, _WORD_MAX)}" if subject else ""
        return _bounded(f"recorded {_plain(type, _WORD_MAX)}{about}")
    fields = _Fields(known, subject, data)

    def put(piece: re.Match[str]) -> str:
        if piece["field"]:
            return fields.get(piece["field"]) or fields.unnamed
        return _fill(piece["part"], fields) or ""

    # One pass over the title: what is put in comes from outside and is never read as a title.
    return _bounded(_PIECE.sub(put, known.title))


def spell(ref: str) -> str:
    """Return a ref as people say it.

    >>> spell("run:acme/shop/902"), spell("commit:acme/shop@9fceb02d0ae598e95dc970b747")
    ('run 902', 'commit 9fceb02')
    """
    kind, colon, ident = ref.partition(":")
    if not colon or not ident:
        return _plain(ref, _WORD_MAX)
    if kind in {"run", "deployment"} and ident.count("/") >= 2:
        ident = "/".join(ident.split("/")[2:])
    elif kind == "commit" and "@" in ident:
        ident = ident.rpartition("@")[2][:7]
    elif kind == "branch":
        ident = ident.partition("@")[2] or ident
    elif kind == "artifact":
        ident = ident[: len("sha256:") + 12]
    elif kind == "actor":
        return "an actor"
    return f"{_KIND_WORDS.get(kind, kind)} {_plain(ident, _WORD_MAX)}"


class _Fields:
    """The fields of one event's title, by name."""

    def __init__(self, known: EventType, subject: str | None, data: JSON) -> None:
        self.subject = subject
        self.roots: Mapping[str, JSON] = {
            "data": data,
            "content": _dig(data, "subject", "content"),
            "custom": _dig(data, "customData"),
        }
        self.made: dict[str, Callable[[], str | None]] = {
            "thing": self._thing,
            "result": self._result,
            "review": self._review,
            "artifact": self._artifact,
            "ident": self._ident,
            "service": self._service,
            "task": self._task,
        }
        stated = known.name.removeprefix(CDEVENTS).partition(".")[0]
        kind = SUBJECT_KINDS.get(stated, known.noun)
        self.word = _KIND_WORDS.get(kind, kind)
        self.unnamed = f"{'an' if self.word[0] in 'aeiou' else 'a'} {self.word}"

    def get(self, name: str) -> str | None:
        """Return the words of a field, None if it says nothing."""
        if name in self.made:
            return self.made[name]()
        root, *path = name.split(".")
        return _word(_dig(self.roots.get(root), *path))

    def _thing(self) -> str | None:
        if self.subject:
            return spell(self.subject)
        ident = _word(_dig(self.roots["data"], "subject", "id"))
        return f"{self.word} {ident}" if ident else None

    def _result(self) -> str | None:
        counts = _dig(self.roots["custom"], "counts") or _dig(self.roots["content"], "counts")
        if isinstance(counts, dict):
            told = [
                f"{number} {name}"
                for name in _COUNTS
                if isinstance(number := counts.get(name), int) and number > 0
            ]
            if told:
                return ", ".join(told)
        outcome = _word(_dig(self.roots["content"], "outcome"))
        return _OUTCOMES.get(outcome, outcome) if outcome else None

    def _review(self) -> str | None:
        state = _word(_dig(self.roots["custom"], "review_state"))
        return _REVIEWS.get(state, state) if state else None

    def _artifact(self) -> str | None:
        purl = _dig(self.roots["content"], "artifactId")
        ref = artifact_of(purl)
        return spell(ref) if ref else _word(purl)

    def _ident(self) -> str | None:
        stated = _word(_dig(self.roots["data"], "subject", "id"))
        return stated or (_word(self.subject.partition(":")[2]) if self.subject else None)

    def _service(self) -> str | None:
        stated = _word(_dig(self.roots["data"], "subject", "id"))
        return stated or (f"a service by {spell(self.subject)}" if self.subject else "a service")

    def _task(self) -> str | None:
        name = _word(_dig(self.roots["content"], "taskName"))
        return f"task {name}" if name else self._thing()


def _fill(part: str, fields: _Fields) -> str | None:
    words = {name: fields.get(name) for name in _FIELD.findall(part)}
    if not all(words.values()):
        return None
    return _FIELD.sub(lambda field: words[field[1]] or "", part)


def _dig(value: JSON, *path: str) -> JSON:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _word(value: JSON) -> str | None:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)[:_WORD_MAX]
        case str():
            return _plain(value, _WORD_MAX) or None
        case _:
            return None


def _plain(text: str, limit: int) -> str:
    # Cut before cleaning too: the text may be 64 KiB.
    line = _SPACE.sub(" ", text[: limit * 2]).strip()
    line = _DANGEROUS.sub("\ufffd", line)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _bounded(text: str) -> str:
    return text if len(text) <= LENGTH_MAX else text[: LENGTH_MAX - 1].rstrip() + "…"
