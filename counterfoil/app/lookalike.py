"""Names that read like other names: letters of two scripts in a word, and letters that look alike.

What must hold: two accounts that share one of their `looks` look the same to a person, so they are
never two people's.  Source: Unicode Technical Standard 39, sections 4 and 5, cut down to the letters
that pass for ASCII, and among ASCII to those that one glyph is drawn for: not `rn` for `m`, since
that would refuse plain names; pure.
"""

import unicodedata
from typing import Final

# Letters of other scripts -> the ASCII letter they pass for (UTS 39, confusables.txt).
_PASSES_FOR: Final = str.maketrans(
    {
        **dict(zip("авегікмнорстухѕјԁԛԝһӏь", "aberikmhopctyxsjdqwhlb", strict=True)),
        **dict(zip("αβεζηικνορτυχ", "abeznikvoptux", strict=True)),
        **dict(zip("ıɑɡʏօսհոց", "iagyouhng", strict=True)),
    }
)
# Scripts that are written in one word together (UTS 39, section 5.1).
_TOGETHER: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
# What is drawn alike in capitals and digits: told apart from "i" only where it is written "I".
_DRAWN: Final = str.maketrans("I1|O0", "llloo")
_HANDLE: Final = str.maketrans("01_.", "ol--")


def why_not(text: str) -> str:
    r"""Return what is odd about the letters of a name, "" if nothing is.

    >>> why_not("github.com:\N{CYRILLIC SMALL LETTER A}na")
    'it mixes letters of CYRILLIC and LATIN in one word'
    """
    if unicodedata.normalize("NFKC", text) != text:
        return "it has characters that stand for others"
    if not text.isprintable():
        return "it has characters that nobody sees"
    word: set[str] = set()
    for character in f"{text} ":
        if unicodedata.category(character)[0] in "LM":
            word.add(_script(character))
            continue
        mixed = word - {"COMBINING"}
        if len(mixed) > 1 and not mixed <= _TOGETHER:
            return f"it mixes letters of {' and '.join(sorted(mixed))} in one word"
        word = set()
    return ""


def looks(account: str) -> tuple[str, ...]:
    r"""Return what an account looks like: two that a person takes for one share a member.

    One is as providers compare logins, without capitals; the other as it is drawn, where "I" is
    an "l" and "0" an "o".  In one alone, "Ian" would have to be "ian" and "lan" at once, and
    those are two plain names.

    >>> looks("github.com:aI0"), looks("github.com.:al0")
    (('github.com:ai0', 'github.com:alo'), ('github.com:al0', 'github.com:alo'))
    """
    provider, colon, login = account.partition(":")
    whole = provider.rstrip(".").lower() + colon + login
    if not whole.isascii():
        whole = unicodedata.normalize("NFKC", whole).casefold().translate(_PASSES_FOR)
    same, drawn = whole.lower(), whole.translate(_DRAWN).lower()
    return (same,) if same == drawn else (same, drawn)


def handle_skeleton(handle: str) -> str:
    """Return what a handle looks like.

    >>> handle_skeleton("ana_dev1") == handle_skeleton("ana-devl")
    True
    """
    return handle.translate(_HANDLE)


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split()[0].partition("-")[0]
