"""What a decoder of outside bytes owes, as data and as one function that asks for it.

The rule: any bytes become a value or an error with a name, and never another exception.  Where
something writes what a decoder reads, `read` also asks that reading and writing give the bytes
back.  Property tests and fuzzing use the same table: `tests.fuzz.families`.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from counterfoil.errors import MESSAGE_LENGTH_MAX, CounterfoilError

SEED_BYTES_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One decoder under test.

    Attributes:
        name: how a failing test calls it.
        read: takes the bytes to the decoder; asserts what else must hold of what it returns.
        of: the functions of the product that are reached so.
        seeds: valid samples, to begin from.
        errors: what it may raise.
    """

    name: str
    read: Callable[[bytes], object]
    of: tuple[Callable[..., object], ...]
    seeds: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = (CounterfoilError,)


def meet(decoder: Decoder, data: bytes) -> bool:
    """Give bytes to a decoder; return whether it took them.

    Raises:
        AssertionError: its error is no line that can be shown, or a value breaks its promise.
        Exception: anything that is no named error.
    """
    try:
        decoder.read(data)
    except CounterfoilError as error:
        _check_told(decoder, error.message)
        return False
    except decoder.errors:
        return False
    return True


def _check_told(decoder: Decoder, message: str) -> None:
    assert CounterfoilError in decoder.errors, f"{decoder.name} names no errors of ours"
    assert message, decoder.name
    assert "\n" not in message, message
    assert len(message) <= MESSAGE_LENGTH_MAX, message
    message.encode()  # it can be sent: no half of a surrogate pair


def mutants(seeds: tuple[bytes, ...], name: str, count: int) -> Iterator[bytes]:
    """Yield `count` copies of the seeds, each changed in one to four places; the same every time."""
    chosen = random.Random(name)  # noqa: S311  the same every time is what it is for
    for _ in range(count):
        data = bytearray(chosen.choice(seeds)[:SEED_BYTES_MAX])
        for _ in range(chosen.randint(1, 4)):
            _change(data, chosen, seeds)
        yield bytes(data)


# What readers stumble over: signs, ends, numbers at a border, deep brackets, odd Unicode.
_TOKENS = (
    b"-", b"\0", b"\n", b"\r\n", b" ", b'"', b"\\ud800", b"[", b"{", b"null", b"true", b"1e999",
    b"9223372036854775808", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"<![CDATA[", b"&a;", b"=",
    b"[" * 1_200, b"9" * 5_000, b"\xef\xbb\xbf", b"0" * 64, b"%00", b"../", b"-0.0", b"<a>" * 300,
)  # fmt: skip


def _change(data: bytearray, chosen: random.Random, seeds: tuple[bytes, ...]) -> None:
    at = chosen.randint(0, len(data))
    end = min(len(data), at + chosen.choice((1, 1, 2, 8, 64)))
    match chosen.randint(0, 6):
        case 0:
            del data[at:]
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end]
        case 3:
            data[at:at] = chosen.choice(_TOKENS)
        case 4:
            data[at:end] = chosen.choice(_TOKENS)
        case 5:
            other = chosen.choice(seeds)[:SEED_BYTES_MAX]
            data[at:] = other[chosen.randint(0, len(other)) :]
        case _:
            data[at:end] = bytes(byte ^ (1 << chosen.randint(0, 7)) for byte in data[at:end])
