"""An XML reader that cannot be led astray: bounded in every direction, and deaf to DTDs.

Streaming over expat.  A DOCTYPE is refused before anything in it is read, so there are no
entities to expand and no files or hosts to fetch.  Total size, depth, attributes, attribute
length and the length of any single tag are limited; of every text the first 64 KiB are kept
together with the full length and SHA-256.  Memory use does not grow with the report.
Source: XML 1.0 (fifth edition); the limits are docs/adr/0009.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from xml.parsers import expat  # the bounded reader itself: no DTD is ever read

from counterfoil.errors import RequestError
from counterfoil.sources.junit.decode import Decoder

MAX_BYTES = 100 * 1024 * 1024
MAX_DEPTH = 64
MAX_ATTRIBUTES = 128
MAX_ATTRIBUTE_BYTES = 1024 * 1024
MAX_TAG_BYTES = 2 * 1024 * 1024
KEPT_BYTES = 64 * 1024
_STEP_BYTES = 64 * 1024

_ENDED_EARLY = {3, 5, 6, 20}  # no element found, unclosed token, partial character, unclosed CDATA
_AFTER_ROOT = {4, 9, 17}  # an invalid token, junk, an XML declaration behind the root element


@dataclass(frozen=True, slots=True)
class Text:
    """A text as kept: its beginning, and what identifies the whole.

    Attributes:
        kept: the first 64 KiB, cut at a character.
        size_bytes: length of the whole text in UTF-8.
        sha256: hex SHA-256 of the whole text in UTF-8.
    """

    kept: str
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, text: str) -> "Text":
        """Return the kept form of a text that is already in memory."""
        gathering = Gathering()
        gathering.add(text)
        return gathering.text()


class Gathering:
    """Collects the pieces of one text; memory is bounded by 64 KiB."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._kept_bytes = 0
        self._size_bytes = 0
        self._hash = hashlib.sha256()

    def add(self, piece: str) -> None:
        """Take the next piece of the text."""
        data = piece.encode()
        self._hash.update(data)
        self._size_bytes += len(data)
        room = KEPT_BYTES - self._kept_bytes
        if room <= 0:
            return
        if len(data) > room:
            piece = data[:room].decode(errors="ignore")
            self._kept_bytes = KEPT_BYTES
        else:
            self._kept_bytes += len(data)
        self._pieces.append(piece)

    def text(self) -> Text:
        """Return the whole as kept."""
        return Text("".join(self._pieces), self._size_bytes, self._hash.hexdigest())


class Handler(Protocol):
    """Whoever listens to the reader."""

    def start(self, name: str, attributes: Mapping[str, str], depth: int, line: int) -> None:
        """Take an opening tag; `depth` is 1 for a root element, `line` counts from 1."""

    def end(self, name: str, depth: int, line: int) -> None:
        """Take a closing tag; `depth` as at its opening."""

    def text(self, piece: str) -> None:
        """Take a piece of text; a text may come in many pieces."""

    def warn(self, code: str, message: str, line: int) -> None:
        """Take a note of something repaired or doubtful."""

    def progress(self) -> str:
        """Say how far the reading got, for an error message."""
        ...


class _Document:
    """One XML document within the stream."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.depth = 0
        self.seen_root = False
        self.quiet_bytes = 0
        self.fed_bytes = 0
        self.tail = b""
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, name: str, *_rest: object) -> None:
        if name.lower() == "html":
            raise _html()
        raise RequestError(
            "report_doctype",
            f"the report declares a DOCTYPE ({name[:40]!r}); it was not read any further: "
            "send it without DTD and entities",
            line=self.parser.CurrentLineNumber,
        )

    def _start(self, name: str, flat: list[str]) -> None:
        self.quiet_bytes = 0
        self.depth += 1
        self.seen_root = True
        line = self.parser.CurrentLineNumber
        if self.depth > MAX_DEPTH:
            raise _limit(f"elements are nested over {MAX_DEPTH} deep", line)
        if len(flat) > 2 * MAX_ATTRIBUTES:
            raise _limit(f"an element has over {MAX_ATTRIBUTES} attributes", line)
        if any(len(value) > MAX_ATTRIBUTE_BYTES for value in flat[1::2]):
            raise _limit(f"an attribute is longer than {MAX_ATTRIBUTE_BYTES} characters", line)
        attributes = dict(zip(flat[::2], flat[1::2], strict=True))
        self.handler.start(name, attributes, self.depth, line)

    def _end(self, name: str) -> None:
        self.quiet_bytes = 0
        self.handler.end(name, self.depth, self.parser.CurrentLineNumber)
        self.depth -= 1

    def _text(self, piece: str) -> None:
        self.quiet_bytes = 0
        self.handler.text(piece)

    def feed(self, data: bytes, *, final: bool) -> bytes:
        """Parse `data`; return what belongs to a next document, normally nothing."""
        self.quiet_bytes += len(data)
        self.fed_bytes += len(data)
        over = self.seen_root and self.depth == 0
        self.tail = (self.tail + data)[-MAX_TAG_BYTES:] if over else data
        try:
            self.parser.Parse(data, final)
        except expat.ExpatError as error:
            return self._failed(error)
        if self.quiet_bytes > MAX_TAG_BYTES:
            raise _limit(f"one tag or comment is longer than {MAX_TAG_BYTES} bytes", None)
        return b""

    def _failed(self, error: expat.ExpatError) -> bytes:
        over = self.seen_root and self.depth == 0
        if over and error.code in _AFTER_ROOT:
            return self.tail[self.parser.ErrorByteIndex - self.fed_bytes + len(self.tail) :]
        what = expat.ErrorString(error.code)
        if error.code in _ENDED_EARLY and self.seen_root:
            raise RequestError(
                "report_truncated",
                f"the report ends early, in line {error.lineno}, after "
                f"{self.handler.progress()}; send the whole file",
                line=error.lineno,
            ) from None
        raise RequestError(
            "report_not_xml",
            f"line {error.lineno}, column {error.offset + 1}: {what}, after "
            f"{self.handler.progress()}; repair the file or the tool that wrote it",
            line=error.lineno,
        ) from None


def read_xml(chunks: Iterable[bytes], handler: Handler) -> Iterator[None]:
    """Parse a stream and call `handler`; yields after every step of at most 64 KiB.

    Several documents one after the other are read as one stream, with a warning.

    Raises:
        RequestError: report_empty, report_not_xml, report_truncated, report_doctype,
            report_limit, report_unknown (an HTML page).
    """
    decoder = Decoder()
    stream = _Stream(handler)
    size_bytes = 0
    for step in _steps(chunks):
        size_bytes += len(step)
        if size_bytes > MAX_BYTES:
            raise _limit(f"the report is larger than {MAX_BYTES} bytes", None)
        stream.feed(decoder.feed(step), final=False)
        yield
    stream.feed(decoder.feed(b"", final=True), final=True)
    # In one order, however the bytes came in pieces: the same report is the same events.
    for code in sorted(decoder.repairs):
        handler.warn(code, _REPAIRS[code], 1)
    yield


_REPAIRS = {
    "encoding_mismatch": "the bytes are not in the declared encoding; read as Latin-1 where needed",
    "illegal_characters": "characters no XML may hold were replaced by U+FFFD",
}


def _steps(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _STEP_BYTES):
            yield chunk[start : start + _STEP_BYTES]


class _Stream:
    """The documents of a report, one after the other."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.document = _Document(handler)
        self.index = 0  # of the document within the stream
        self.started = False
        self.ended = False

    def feed(self, data: bytes, *, final: bool) -> None:
        """Take clean UTF-8; white space before a document is no matter of ours."""
        while not self.ended:
            if not self.started:
                stripped = data.lstrip(b"\xef\xbb\xbf \t\r\n")
                if len(stripped) != len(data) and stripped.startswith(b"<?xml"):
                    self.handler.warn(
                        "space_before_declaration", "white space stands before the declaration", 1
                    )
                data = stripped
                if not data:
                    self._nothing(final=final)
                    return
                self.started = True
            rest = self._parse(data, final=final)
            if not rest:
                return
            self.index += 1
            self.handler.warn("concatenated_documents", "a further document follows", 1)
            self.document, self.started, data = _Document(self.handler), False, rest

    def _nothing(self, *, final: bool) -> None:
        if final and self.index == 0:
            raise RequestError("report_empty", "the report is empty: no bytes but white space")

    def _parse(self, data: bytes, *, final: bool) -> bytes:
        try:
            return self.document.feed(data, final=final)
        except RequestError as error:
            if error.code != "report_not_xml" or self.index == 0 or self.document.seen_root:
                raise
            # A complete report, then something that is no XML at all: padding, a log line.
            self.handler.warn("trailing_text", "text that is no XML follows the report", 1)
            self.ended = True
            return b""


def _limit(what: str, line: int | None) -> RequestError:
    at = "" if line is None else f" in line {line}"
    return RequestError("report_limit", f"{what}{at}; nothing of the report was recorded")


def _html() -> RequestError:
    return RequestError(
        "report_unknown", "this is an HTML page, not a test report; check what wrote the file"
    )
