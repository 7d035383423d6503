"""What unpacks, nests or multiplies is refused before it costs memory or time.

The figures are those of a process with 192 MiB to spare and 20 s of CPU: what takes more is killed.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.errors import CODES
from tests.fuzz.bombs import BOMBS, ROOM_BYTES

ROOT = Path(__file__).resolve().parents[2]
# Those that are no more than large: they hold what they say, or nothing.
TAKEN = {
    "an address of a million dots", "a git log of a million nothings",
    "a duration of a million digits", "a search of words that are nearly a key",
    "a proof file whose JSON is 30 MiB",
}  # fmt: skip
PLANTED = """
import runpy, sys
from tests.fuzz import bombs
bombs.BOMBS = {"planted": (lambda data: bytearray(data[0] << 20), lambda: bytes([255]))}
print(bombs._in_process("planted"))
"""


def run(*words: str) -> str:
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return ended.stdout


@pytest.fixture(scope="module")
def ended() -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in run("-m", "tests.fuzz.bombs").splitlines()]
    return {line["name"]: line for line in lines}


def test_every_bomb_ends_in_a_named_error_within_its_memory_and_time(
    ended: dict[str, dict[str, object]],
) -> None:
    """One test for all: they share the start of one process."""
    assert ended.keys() == BOMBS.keys()
    broke = {name: line for name, line in ended.items() if line["ended"] == "broke"}
    assert broke == {}
    assert {name for name, line in ended.items() if line["ended"] == "taken"} == TAKEN
    codes = {str(line["ended"]) for line in ended.values()} - {"taken", "no value"}
    assert codes <= CODES.keys()


def test_nothing_unpacked_is_held(ended: dict[str, dict[str, object]]) -> None:
    """A quarter of a gigabyte of zeroes in a quarter of a megabyte, read a megabyte at a time."""
    for name in ("a zip of a quarter of a gigabyte", "a zip that says a member is smaller"):
        assert ended[name]["ended"] == "damaged"
        grown = ended[name]["grown_bytes"]
        assert isinstance(grown, int)
        assert grown < 32 << 20


def test_a_decoder_that_holds_too_much_is_found() -> None:
    """Else all of this were green whatever they did."""
    assert ROOM_BYTES < 255 << 20
    assert "'broke'" in run("-c", PLANTED)
