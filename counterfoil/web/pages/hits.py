"""Which letters of a sentence a search hit.

Pure.  Text is compared as the index compares it: without case and without marks on letters, whole
words, `*` at the end for any ending.  What must hold: folding keeps every place, so what is marked
is what was written.
"""

import re
import unicodedata
from collections.abc import Iterable

from counterfoil.projections.search import TEXT, Word

_TOKEN = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return `text` without case and accents, character by character.

    >>> fold("Échec ß")
    'echec ß'
    """
    return "".join(map(_fold, text))


def _fold(character: str) -> str:
    bare = unicodedata.normalize("NFD", character)[0].lower()
    return bare if len(bare) == 1 else character


def hits_of(read: Iterable[Word]) -> re.Pattern[str] | None:
    """Return what to mark in folded text for the words of a search; None for nothing.

    Free text and the ids of `ref:` are looked for; other words are about fields, which have their
    own place in a line.
    """
    ways = sorted({way for word in read if word.problem is None and (way := _way(word))}, key=len)
    if not ways:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(reversed(ways))})(?![^\W_])")


def _way(word: Word) -> str:
    if word.key not in {TEXT, "ref"}:
        return ""
    said = word.value if word.key == TEXT else word.value.partition(":")[2]
    tokens = _TOKEN.findall(fold(said))
    ending = r"[^\W_]*" if said.endswith("*") else ""
    return r"[\W_]+".join(map(re.escape, tokens)) + ending if tokens else ""
