"""JSON, read strictly and written one way: RFC 8785 (JCS).

Whatever is committed to, signed or compared is compared as these bytes, so there must be one
form of every value and no text that two readers understand differently.  `read(write(value))`
is `value`, and `write(read(data))` never fails: numbers whose canonical form would be an
integer beyond 2^53-1 are refused on the way in, whatever their notation (1e17 as well).

Source: RFC 8785, RFC 7493 (I-JSON), RFC 8259; vectors in tests/vectors/json-canonicalization/.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import encode_basestring
from typing import NoReturn, TypeAlias, assert_never

import msgspec

from counterfoil.errors import RequestError

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None

DEPTH_MAX = 64
SAFE_INTEGER_MAX = 2**53 - 1

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# UTF-8 of characters beyond the BMP: as member names they are ordered otherwise by UTF-16.
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")


def read(data: bytes, what: str = "the body", *, depth_max: int = DEPTH_MAX) -> JSON:
    """Read one JSON text.

    Args:
        data: UTF-8 without a byte order mark.
        what: what the bytes are, for the error line.
        depth_max: how deeply arrays and objects may be nested; a bare scalar has depth 0.

    Raises:
        RequestError: `json_broken`, `json_duplicate_member`, `json_number`, `json_surrogate`
            or `json_depth`.

    Cost: about 4 us a kilobyte where it is written without spaces, escapes and repetitions, as
    most libraries write it; else four times that.
    Source: RFC 8785 section 3.1, RFC 7493 section 2.

    >>> read(b'{"seq": 1042, "ok": true}')
    {'seq': 1042, 'ok': True}
    >>> read(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    counterfoil.errors.RequestError: the body names the member "a" twice in one object
    """
    return read_for_writing(data, what, depth_max=depth_max)[0]


def read_for_writing(
    data: bytes, what: str = "the body", *, depth_max: int = DEPTH_MAX
) -> tuple[JSON, Callable[[JSON], bytes]]:
    """Return what `read` returns, and what writes it and any part of it as `write` does.

    The second is `write`, or does the same sooner: that all numbers are plain was seen in reading.

    Raises:
        RequestError: as `read` does.
    """
    try:
        plain: JSON = msgspec.json.decode(data)
        # Written again it is the same bytes: so no member stands twice, no number reads as
        # another, no escape hides anything.  Whatever else there is, the careful reader judges.
        if msgspec.json.encode(plain) == data and _is_plain(plain, depth_max):
            return plain, _write_plain if is_ordered(data) else write
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        pass
    return read_carefully(data, what, depth_max=depth_max), write


def read_carefully(data: bytes, what: str = "the body", *, depth_max: int = DEPTH_MAX) -> JSON:
    """Return what `read` returns, by the rules one by one: the slow path, and its oracle."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            "json_broken", f"{what} is not UTF-8: byte {error.start}; send JSON in UTF-8"
        ) from error
    if text.startswith("\ufeff"):
        raise RequestError("json_broken", f"{what} begins with a byte order mark; leave it out")
    try:
        value: JSON = _DECODER.decode(text)
    except _Refused as error:
        raise RequestError(error.code, f"{what} {error}") from error
    except RecursionError as error:
        raise RequestError("json_depth", _too_deep(what, depth_max)) from error
    except json.JSONDecodeError as error:
        raise RequestError(
            "json_broken",
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
        ) from error
    if text.count("[") + text.count("{") > depth_max and _is_deeper(value, depth_max):
        raise RequestError("json_depth", _too_deep(what, depth_max))
    if _ESCAPED_SURROGATE.search(text) and _has_surrogate(value):
        raise RequestError("json_surrogate", f"{what} holds a lone surrogate in a string")
    return value


def read_written(data: bytes, what: str = "the body") -> JSON:
    """Return what `read` returns, sooner if `data` is an object, array or text that `write` wrote.

    Raises:
        RequestError: as `read` does.

    Cost: about half of what `read` takes for what `write` wrote, one and a half for anything else.
    """
    found, value = _read_usual(data)
    return value if found else read(data, what)


def written_members(data: bytes) -> Mapping[str, object] | None:
    """Return the members of an object that `write` wrote, each as it stands there, for msgspec.

    None where `data` is no object, or not what `write` writes, or that cannot be told soon.
    """
    if data[:1] != b"{" or not _read_usual(data)[0]:
        return None
    members: Mapping[str, object] = _MEMBERS.decode(data)
    return members


def _read_usual(data: bytes) -> tuple[bool, JSON]:
    """Return whether `data` is what `write` writes, as far as that is told soon, and the value."""
    if data[:1] in _USUAL:
        try:
            value: JSON = msgspec.json.decode(data)
            # Written again the same: no member twice, none out of order, no odd escape.
            again = _write_usual(value)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return False, None  # `read` says what is wrong
        if again == data:
            return True, value
    return False, None


def write(value: JSON) -> bytes:
    r"""Return the RFC 8785 form of `value`.

    Raises:
        RequestError: `json_number` for NaN, an infinity or an integer beyond 2^53-1,
            `json_surrogate` for a lone surrogate, `json_depth` for nesting deeper than 64.

    Cost: about 4 us a kilobyte; with very large or small numbers or
    characters beyond the BMP ten times that.

    >>> write({"b": [1.0, 1e-7], "a": "\u20ac"})
    b'{"a":"\xe2\x82\xac","b":[1,1e-7]}'
    """
    try:
        data = _write_usual(value)
        if data is None and _is_plain(value, DEPTH_MAX):
            data = msgspec.json.encode(value, order="sorted")
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return write_carefully(value)
    if data is None or not is_ordered(data):
        return write_carefully(value)
    return data


def _write_plain(value: JSON) -> bytes:
    """Return the RFC 8785 form of what `_is_plain` holds for, with members in the usual order."""
    return msgspec.json.encode(value, order="sorted")


def is_ordered(data: bytes) -> bool:
    """Say whether members in the order of their code points are in that of RFC 8785 as well.

    Args:
        data: JSON in UTF-8 whose members are in that order.
    """
    return data.isascii() or _BEYOND_BMP.search(data) is None


def write_carefully(value: JSON) -> bytes:
    """Return what `write` returns, by the rules one by one: the slow path, and its oracle."""
    parts: list[str] = []
    _write_value(value, parts, 0)
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError("json_surrogate", "a string holds a lone surrogate") from error


def write_number(number: float) -> str:
    """Return a finite double as ECMAScript prints it.

    Python's repr has the same shortest digits; only the layout differs.

    Source: RFC 8785 section 3.2.2.3, ECMA-262 Number::toString.

    >>> [write_number(number) for number in (1e21, 1e20, 1e-6, 1e-7, -0.0, 4.5)]
    ['1e+21', '100000000000000000000', '0.000001', '1e-7', '0', '4.5']
    """
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = int(exponent or 0) + (
        len(whole) if whole != "0" else len(fraction.lstrip("0")) - len(fraction)
    )
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def item_texts(data: bytes) -> Iterator[bytes]:
    """Yield the JSON text of each element of the array in `data`, as far as it can be told.

    For finding which element of a refused batch is to blame: duplicate members, NaN and lone
    surrogates are passed over here.  The last text is the rest of `data` where it ends to be
    JSON.
    """
    text = data.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
    position = 1
    while text[:1] == "[" and position < len(text):
        start = len(text) - len(text[position:].lstrip(" \t\r\n,"))
        try:
            _, position = _LENIENT.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            if text[start : start + 1] != "]":
                yield text[start:].encode("utf-8", "surrogateescape")
            return
        yield text[start:position].encode("utf-8", "surrogateescape")


class _Refused(Exception):  # noqa: N818  never leaves this module
    """A hook of the decoder says no; `code` is one of `counterfoil.errors.CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _read_object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for place, name in enumerate(names) if name in names[:place])
        shown = json.dumps(name[:64])
        raise _Refused("json_duplicate_member", f"names the member {shown} twice in one object")
    return members


def _read_integer(text: str) -> int:
    # The length first: Python refuses to read integers of thousands of digits, slowly.
    if len(text) > 17 or abs(number := int(text)) > SAFE_INTEGER_MAX:
        raise _Refused("json_number", f"holds the integer {text[:24]}, which is beyond 2^53-1")
    return number


def _read_float(text: str) -> float:
    number = float(text)
    if SAFE_INTEGER_MAX < abs(number) < 1e21 or number in {float("inf"), float("-inf")}:
        raise _Refused("json_number", f"holds the number {text[:24]}, which is beyond 2^53-1")
    return number


def _read_constant(text: str) -> NoReturn:
    raise _Refused("json_number", f"holds {text}, which is no JSON number")


_USUAL = (b"{", b"[", b'"')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_integer,
    parse_float=_read_float,
    parse_constant=_read_constant,
)
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str, strict=False)


def _write_usual(value: JSON) -> bytes | None:
    """Return `value` as msgspec writes it, if only text, small integers and shallow nesting is in it.

    Asking each value for its type takes Python longer than writing all of them takes msgspec.  So
    it writes MessagePack too, where a double and an integer beyond 32 bits each begin with a byte
    of their own; where that byte stands for something else, the answer is None for nothing.

    Source: the MessagePack specification, "Overview" of formats.
    """
    if type(value) is str:
        return msgspec.json.encode(value)
    packed = msgspec.msgpack.encode(value)
    # How it begins a double, and integers of 64 bits.
    if b"\xcb" in packed or b"\xcf" in packed or b"\xd3" in packed:
        return None
    data = msgspec.json.encode(value, order="sorted")
    return data if data.count(b"[") + data.count(b"{") <= DEPTH_MAX else None


def _is_plain(value: JSON, room: int) -> bool:
    """Say whether msgspec writes `value` as RFC 8785 wants it, far characters aside.

    It does so for all but integers that must be refused and floats at the ends of the scale, or
    without a fraction; `room` is how many levels of nesting are left.
    """
    inside: Iterable[JSON]
    if type(value) is dict:
        inside = value.values()
    elif type(value) is list:
        inside = value
    elif type(value) is float:
        # Here both print the shortest digits that read back, with a point and no exponent.
        return 1e-3 <= abs(value) < 1e15 and not value.is_integer()
    elif type(value) is int:
        return -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX
    else:
        return True
    if room == 0:
        return False
    for inner in inside:  # noqa: SIM110  a generator costs more than the check
        if type(inner) is not str and not _is_plain(inner, room - 1):
            return False
    return True


def _too_deep(what: str, depth_max: int) -> str:
    return f"{what} nests arrays and objects deeper than {depth_max}"


def _is_deeper(value: JSON, depth_max: int) -> bool:
    level: list[JSON] = [value]
    for _ in range(depth_max):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def _has_surrogate(value: JSON) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, list):
        return any(_has_surrogate(inner) for inner in value)
    if isinstance(value, dict):
        return any(
            _SURROGATE.search(name) or _has_surrogate(inner) for name, inner in value.items()
        )
    return False


def _write_value(value: JSON, parts: list[str], depth: int) -> None:
    match value:
        case None:
            parts.append("null")
        case bool():
            parts.append("true" if value else "false")
        case str():
            parts.append(encode_basestring(value))
        case int():
            if abs(value) > SAFE_INTEGER_MAX:
                raise RequestError("json_number", f"the integer {value} is beyond 2^53-1")
            parts.append(str(value))
        case float():
            if not (abs(value) <= SAFE_INTEGER_MAX or 1e21 <= abs(value) < float("inf")):
                raise RequestError("json_number", f"the number {value} has no safe JSON form")
            parts.append(write_number(value))
        case list():
            _check_depth(depth)
            _write_array(value, parts, depth + 1)
        case dict():
            _check_depth(depth)
            _write_object(value, parts, depth + 1)
        case _:
            assert_never(value)


def _check_depth(depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise RequestError("json_depth", _too_deep("the value", DEPTH_MAX))


def _write_array(items: "list[JSON]", parts: list[str], depth: int) -> None:
    separator = "["
    for item in items:
        parts.append(separator)
        _write_value(item, parts, depth)
        separator = ","
    parts.append("]" if items else "[]")


def _write_object(members: "dict[str, JSON]", parts: list[str], depth: int) -> None:
    separator = "{"
    for name in sorted(members, key=_utf16):
        parts.extend((separator, encode_basestring(name), ":"))
        _write_value(members[name], parts, depth)
        separator = ","
    parts.append("}" if members else "{}")


def _utf16(name: str) -> bytes:
    # RFC 8785 section 3.2.3: members are ordered by UTF-16 code units, not by code points.
    return name.encode("utf-16-be", "surrogatepass")
