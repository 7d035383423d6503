"""What stands on the sheets of a PDF that Chromium made: its text, sheet by sheet.

Not a reader of PDF in general: it follows the objects that Skia writes (ISO 32000-1 sections 7.3,
9.4 and 9.10.3), and fails loudly on what it does not know.
"""

import re
import zlib

_OBJECT = re.compile(rb"(?m)^(\d+) 0 obj\s(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_RUN = re.compile(rb"/(\w+) [\d.]+ Tf|<([0-9A-Fa-f]+)> Tj|\[(.*?)\] TJ|(ET)", re.DOTALL)
_HEX = re.compile(rb"<([0-9A-Fa-f]+)>")


def sheets(pdf: bytes) -> list[str]:
    """Return the text of each sheet, without any space: where words end is a matter of layout."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    assert pages, "no page is written as an object of its own"
    return [_text(page, objects) for page in pages]


def _text(page: bytes, objects: dict[int, bytes]) -> str:
    contents = re.search(rb"/Contents (\d+) 0 R", page)
    assert contents is not None
    fonts = {
        name: _letters(objects[int(number)], objects)
        for block in re.findall(rb"/Font\s*<<(.*?)>>", page, re.DOTALL)
        for name, number in re.findall(rb"/(\w+) (\d+) 0 R", block)
    }
    said: list[str] = []
    letters: dict[str, str] = {}
    for font, shown, several, _ in _RUN.findall(_unpacked(objects[int(contents[1])])):
        if font:
            letters = fonts[font]
        for run in [shown] if shown else _HEX.findall(several):
            text = run.decode("ascii").upper()
            said += [letters.get(text[at : at + 4], "") for at in range(0, len(text), 4)]
    return re.sub(r"\s", "", "".join(said))


def _letters(font: bytes, objects: dict[int, bytes]) -> dict[str, str]:
    found = re.search(rb"/ToUnicode (\d+) 0 R", font)
    if found is None:
        return {}
    table = _unpacked(objects[int(found[1])]).decode("ascii")
    letters: dict[str, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for glyph, text in re.findall(r"<(\w{4})> <(\w+)>", block):
            letters[glyph.upper()] = _said(text)
    for block in re.findall(r"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for low, high, text in re.findall(r"<(\w{4})> <(\w{4})> <(\w+)>", block):
            for place in range(int(low, 16), int(high, 16) + 1):
                first = int(text, 16) + place - int(low, 16)
                letters[f"{place:04X}"] = chr(first)
    return letters


def _said(text: str) -> str:
    return bytes.fromhex(text).decode("utf-16-be")


def _unpacked(body: bytes) -> bytes:
    stream = _STREAM.search(body)
    assert stream is not None
    return zlib.decompress(stream[1]) if b"/FlateDecode" in body else stream[1]
