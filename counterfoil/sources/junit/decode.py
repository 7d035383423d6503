"""Bytes of a report -> clean UTF-8 for the parser, chunk by chunk.

Real reports carry a byte order mark behind a line break, claim UTF-8 and hold Latin-1, or
contain control characters no XML may hold.  Such bytes are repaired here and each kind of repair
is noted once, never in silence: the caller has kept and hashed the raw bytes before.
Source: XML 1.0 (fifth edition) sections 2.2 `Char`, 4.3.3 and appendix F.
"""

import codecs
import re

from counterfoil.errors import RequestError

_SNIFF_BYTES = 1024
_ENTITY_CHARS = 12
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,9}));")
_DECLARATION = re.compile(r"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"'][^>]*>")
_PACKED = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"))
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Text encodings a declaration may name.  The list is closed: the runtime also knows codecs that
# unpack or rewrite, and a report must not choose one of those.
_ENCODINGS = frozenset(
    ["utf-8", "ascii", "cp1250", "cp1251", "cp1252", "koi8-r", "gbk", "gb18030", "gb2312", "big5"]
    + ["shift_jis", "euc_jp", "euc_kr"]
    + [f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)]
)


def _as_latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("counterfoil.latin1", _as_latin1)


class Decoder:
    """Decode and clean one report; feed chunks in order, then `b""` with `final`.

    Attributes:
        repairs: codes of what had to be repaired, in the order met, each once.
    """

    def __init__(self) -> None:
        self.repairs: list[str] = []
        self._head = b""
        self._started = False
        self._held = ""
        self._encoding = "utf-8"
        self._codec: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")()
        self._lenient = False

    def feed(self, chunk: bytes, *, final: bool = False) -> bytes:
        """Return clean UTF-8 for what is complete so far; at most 1 KiB is held back.

        Raises:
            RequestError: report_not_xml when the bytes are a packed file.
        """
        if not self._started:
            self._head += chunk
            if len(self._head.lstrip()) < _SNIFF_BYTES and not final:
                return b""
            chunk = self._start()
        return self._clean(self._decode(chunk, final=final), final=final)

    def _note(self, code: str) -> None:
        if code not in self.repairs:
            self.repairs.append(code)

    def _start(self) -> bytes:
        """Choose the encoding from the first bytes; return what is left to decode."""
        data, self._head, self._started = self._head, b"", True
        for magic, name in _PACKED:
            if data.startswith(magic):
                raise RequestError(
                    "report_not_xml", f"the report is a {name} file; unpack it and send the XML"
                )
        mark, encoding = next(
            ((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "")
        )
        if mark not in {b"<\0", b"\0<"}:
            data = data[len(mark) :]
        if not encoding:
            encoding = self._declared(data)
        self._encoding = encoding
        self._codec = codecs.getincrementaldecoder(encoding)()
        return data

    def _declared(self, data: bytes) -> str:
        match = _DECLARATION.search(data[:_SNIFF_BYTES].decode("latin-1"))
        if match is None:
            return "utf-8"
        try:
            name = codecs.lookup(match[1]).name
        except LookupError:
            name = ""
        if name not in _ENCODINGS:
            # "UTF-16" declared in bytes that were readable as ASCII: the declaration lies.
            self._note("encoding_mismatch")
            return "utf-8"
        return name

    def _decode(self, chunk: bytes, *, final: bool) -> str:
        if self._lenient:
            return self._codec.decode(chunk, final)
        state = self._codec.getstate()
        try:
            return self._codec.decode(chunk, final)
        except UnicodeDecodeError:
            if final and not chunk:
                return ""  # a character cut by the end of the file; the parser says the rest
            self._note("encoding_mismatch")
            self._lenient = True
            repair = "counterfoil.latin1" if self._encoding in {"utf-8", "ascii"} else "replace"
            self._codec = codecs.getincrementaldecoder(self._encoding)(repair)
            self._codec.setstate(state)
            return self._codec.decode(chunk, final)

    def _clean(self, text: str, *, final: bool) -> bytes:
        text = self._held + text
        self._held = ""
        cut = text.rfind("&", max(0, len(text) - _ENTITY_CHARS))
        if cut >= 0 and not final and ";" not in text[cut:]:
            text, self._held = text[:cut], text[cut:]
        cleaned = _ILLEGAL.sub("\ufffd", text)
        cleaned = _REFERENCE.sub(_legal_reference, cleaned)
        if cleaned != text:
            self._note("illegal_characters")
        return cleaned.encode()


def _legal_reference(match: re.Match[str]) -> str:
    point = int(match[1], 16) if match[1] else int(match[2])
    legal = point <= 0x10FFFF and not _ILLEGAL.match(chr(point))
    return match[0] if legal else "\ufffd"
