"""The spool file: what is written, what a reader sees of it, and what a full disk leaves."""

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.client.push import push
from counterfoil.client.spool import Header, SpoolWriter, check_origin, read_spool
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError

LOST_PLANNED = "dev.cdeventsx.counterfoil-run.planned.0.1.0"


def event(number: int, text: str = "") -> bytes:
    return json.dumps({"id": str(number), "specversion": "1.0", "text": text}).encode()


def writer(
    folder: Path,
    *,
    origin: str | None = None,
    slim: Callable[[bytes], bytes | None] | None = None,
) -> SpoolWriter:
    return SpoolWriter(
        folder, producer="ci-7", boot="b1", project="default", via="pytest", origin=origin,
        clock=SteppedClock(), slim=slim,
    )  # fmt: skip


def test_what_was_appended_is_read_in_order_with_its_positions(tmp_path: Path) -> None:
    spool = writer(tmp_path / "spool")
    for number in range(3):
        spool.append(event(number))
    spool.close()
    read = read_spool(spool.path)
    assert [one.payload for one in read.records] == [event(number) for number in range(3)]
    assert [one.position for one in read.records] == [0, 1, 2]
    assert (read.ended, read.torn, read.live) == (True, None, False)
    assert (read.header.producer, read.header.boot, read.header.via) == ("ci-7", "b1", "pytest")
    assert read.header.created == "2026-11-20T12:00:00.000Z"


def test_a_spool_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    spool = writer(tmp_path / "spool")
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    spool.close()
    assert [path.name for path in spool.path.parent.iterdir()] == ["ci-7-b1.spool"]


def test_reading_goes_on_from_any_end_offset(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    for number in range(5):
        spool.append(event(number))
    first = read_spool(spool.path, limit=2)
    assert len(first.records) == 2
    rest = read_spool(spool.path, first.end_offset, position=2)
    assert [one.position for one in rest.records] == [2, 3, 4]
    assert [one.payload for one in rest.records] == [event(number) for number in (2, 3, 4)]
    spool.close()
    assert read_spool(spool.path, rest.end_offset, position=5).ended


def test_a_writer_that_lives_is_seen_to_live(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    assert read_spool(spool.path).live
    spool.close(end=False)
    read = read_spool(spool.path)
    assert (read.live, read.ended) == (False, False)


def test_a_forked_child_neither_writes_to_nor_holds_its_parents_spool(tmp_path: Path) -> None:
    """A daemon forked by a test would keep the spool alive for ever, and tear its chain."""
    spool = writer(tmp_path)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        spool.append(event(66))
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    spool.append(event(1))
    spool.close()
    read = read_spool(spool.path)
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    assert not read.live
    assert [one.payload for one in read.records] == [event(1)]


def test_a_killed_process_leaves_every_event_it_appended(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from counterfoil.client.spool import SpoolWriter
from counterfoil.clock import SystemClock
spool = SpoolWriter(Path(sys.argv[1]), producer="p", boot="b", project="default", via="pytest",
                    clock=SystemClock())
for number in range(30):
    spool.append(b'{"id":"%d"}' % number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    read = read_spool(tmp_path / "p-b.spool")
    assert [json.loads(one.payload)["id"] for one in read.records] == [str(n) for n in range(30)]
    assert (read.ended, read.torn, read.live) == (False, None, False)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=400))
def test_a_file_cut_anywhere_keeps_the_events_before_the_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    spool = writer(tmp_path_factory.mktemp("cut"))
    for number in range(4):
        spool.append(event(number))
    spool.close()
    whole = spool.path.read_bytes()
    begin = whole.index(b"\n") + 1
    size = max(begin, len(whole) - cut)
    spool.path.write_bytes(whole[:size])
    read = read_spool(spool.path)
    assert len(read.records) == min(4, whole[begin:size].count(b"\n"))
    assert [one.payload for one in read.records] == [event(n) for n in range(len(read.records))]
    assert (read.torn is None) == whole[:size].endswith(b"\n")


@settings(derandomize=True, max_examples=60, deadline=None)
@given(place=st.integers(min_value=0, max_value=10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen_and_no_event_after_it_is_believed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    spool = writer(tmp_path_factory.mktemp("flip"))
    for number in range(4):
        spool.append(event(number))
    spool.close()
    data = bytearray(spool.path.read_bytes())
    begin = data.index(b"\n") + 1
    where = begin + place % (len(data) - begin)
    data[where] ^= 1 << bit
    spool.path.write_bytes(data)
    read = read_spool(spool.path)
    assert read.torn is not None
    before = bytes(data[begin:where]).count(b"\n")
    assert [one.payload for one in read.records] == [event(n) for n in range(before)]


def test_a_line_that_is_being_written_is_not_called_torn(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.append(event(0))
    with spool.path.open("ab") as file:
        file.write(b"0123")
    assert read_spool(spool.path).torn is None
    spool.close(end=False)
    assert read_spool(spool.path).torn is not None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no header", id="an empty file"),
        pytest.param(b"\x00\xff\n", "no header", id="binary"),
        pytest.param(b"[1]\n", "no header", id="JSON, but no object"),
        pytest.param(b'{"counterfoil-spool": 2}\n', "version '2'", id="a later version"),
        pytest.param(b'{"counterfoil-spool": 1, "producer": 4}\n', "cannot read", id="odd types"),
    ],
)
def test_what_is_no_spool_of_this_version_is_refused_by_name(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "x.spool"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=says) as refused:
        read_spool(path)
    assert refused.value.code == "spool_invalid"
    assert path.read_bytes() == content


def test_an_offset_within_a_line_is_refused(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.append(event(0))
    with pytest.raises(RequestError, match="no line that ends"):
        read_spool(spool.path, spool.path.stat().st_size - 3)
    with pytest.raises(RequestError, match="no line that ends"):
        read_spool(spool.path, spool.path.stat().st_size + 3)
    spool.close()


def test_a_spool_of_another_log_is_refused_and_one_of_an_unknown_log_is_not(
    tmp_path: Path,
) -> None:
    spool = writer(tmp_path / "a", origin="log.example/acme")
    spool.close()
    header = read_spool(spool.path).header
    check_origin(header, "log.example/acme")
    with pytest.raises(RequestError) as refused:
        check_origin(header, "log.example/other")
    assert refused.value.code == "spool_foreign"
    unknown = writer(tmp_path / "b")
    unknown.close()
    check_origin(read_spool(unknown.path).header, "log.example/other")


def test_a_folder_that_takes_no_files_refuses_the_writer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError) as refused:
        writer(tmp_path / "file")
    assert refused.value.code == "read_only"


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    with pytest.raises(UnavailableError, match="exists"):
        writer(tmp_path)
    spool.append(event(0))
    spool.close()
    assert len(read_spool(spool.path).records) == 1


def test_an_event_with_an_attribute_named_mark_is_an_event(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.append(b'{"id":"1","mark":"end","specversion":"1.0"}')
    spool.append(event(2))
    spool.close()
    assert len(read_spool(spool.path).records) == 2


def chained(header: object, *payloads: bytes) -> bytes:
    """Return a spool with a header of any shape and lines that all have a good hash."""
    lines, before = [json.dumps(header).encode()], "0" * 64
    for payload in payloads:
        before = hashlib.sha256(before.encode() + payload).hexdigest()
        lines.append(before.encode() + b" " + payload)
    return b"\n".join([*lines, b""])


HEADER = {
    "counterfoil-spool": 1, "producer": "ci-7", "boot": "b1", "project": "default",
    "via": "pytest", "origin": None, "created": "2026-11-20T12:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(b'{"mark":"gap"}', id="a gap of nothing"),
        pytest.param(b'{"mark":"gap","count":"3","reason":"disk_full"}', id="a count in letters"),
        pytest.param(b'{"mark":"gap","count":true,"reason":"disk_full"}', id="a count of true"),
        pytest.param(b'{"mark":"gap","count":-1,"reason":"disk_full"}', id="less than nothing"),
        pytest.param(
            b'{"mark":"gap","count":1e400,"reason":"disk_full"}', id="a count of infinity"
        ),
        pytest.param(b'{"mark":"gap","count":%b}' % (b"9" * 5000), id="a count too long to read"),
        pytest.param(b'{"mark":"gap","count":1,"reason":["full"]}', id="a reason that is a list"),
        pytest.param(b'{"mark":"gap","count":1,"reason":"\\ud800"}', id="half a character"),
        pytest.param(b'[{"mark":"end"}]', id="a list"),
        pytest.param(b'{"mark":"pause"}', id="a mark of another version"),
        pytest.param(b'{"mark":{"mark":"end"}}', id="a mark that is an object"),
        pytest.param(b'{"mark":', id="half a mark"),
        pytest.param(b'{"mark":' + b"[" * 60_000, id="nested too deep to read"),
        pytest.param(b'\xff{"mark":"end"}', id="binary"),
    ],
)
def test_a_mark_no_writer_makes_is_named_and_what_stands_before_it_is_good(
    tmp_path: Path, mark: bytes
) -> None:
    """Whoever may write the file can give any line a good hash."""
    path = tmp_path / "x.spool"
    path.write_bytes(chained(HEADER, event(0), mark, event(1)))
    spool = read_spool(path)

    assert [one.payload for one in spool.records] == [event(0)]
    assert spool.torn is not None
    assert "is none that this version writes" in spool.torn
    assert not spool.ended
    assert not spool.gaps


# Any JSON, and what looks like a mark or an event and is not quite one.
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["\ud800", "end", "gap", "\x00", "run:a"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
odd_marks = st.fixed_dictionaries(
    {"mark": any_json}, optional={"count": any_json, "reason": any_json}
)
odd_events = st.fixed_dictionaries(
    {"id": any_json, "specversion": any_json},
    optional={
        "type": any_json | st.sampled_from([
            "dev.cdevents.testsuiterun.started.0.3.0", "dev.cdevents.taskrun.finished.0.3.0",
            "dev.cdevents.testcaserun.started.0.3.0", LOST_PLANNED,
        ]),
        "source": st.just("urn:a") | any_json,
        "time": st.just("2026-11-20T12:00:00Z") | any_json,
        "subject": st.just("run:a") | any_json,
        "data": any_json | st.fixed_dictionaries({
            "refs": st.lists(st.fixed_dictionaries({"ref": any_json}), max_size=2) | any_json,
            "planned": any_json,
        }),
    },
)  # fmt: skip
odd_lines = st.one_of(
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    any_json.map(lambda value: json.dumps(value).encode()),
    odd_marks.map(lambda value: json.dumps(value).encode()),
    odd_events.map(lambda value: json.dumps(value, sort_keys=True).encode()),
)
odd_headers = st.one_of(
    st.just(HEADER),
    any_json,
    st.fixed_dictionaries(
        {name: st.just(value) | any_json for name, value in HEADER.items()}
    ),
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=300)
@given(header=odd_headers, lines=st.lists(odd_lines, max_size=6), offset=st.integers(0, 2**70))
def test_nonsense_with_a_good_hash_has_a_named_outcome(
    tmp_path_factory: pytest.TempPathFactory, header: object, lines: list[bytes], offset: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    path = folder / "x.spool"
    path.write_bytes(chained(header, *lines))
    sent: list[bytes] = []

    def deliver(payloads: Sequence[bytes], _header: Header) -> list[dict[str, object]]:
        sent.extend(payloads)
        return [{"index": number, "status": "recorded"} for number in range(len(payloads))]

    spool = None
    with contextlib.suppress(RequestError):
        spool = read_spool(path)
    if spool is None:
        assert push(folder, deliver).stuck["x.spool"].code == "spool_invalid"
        assert path.exists()
        return
    with contextlib.suppress(RequestError):
        read_spool(path, offset)
    assert [one.payload for one in spool.records] == lines[: len(spool.records)]
    result = push(folder, deliver)

    assert sent[: len(spool.records)] == [one.payload for one in spool.records]
    assert not result.stuck
    assert path.exists() == bool(result.torn)


# A file-size limit is a full disk that needs no mount: write(2) fails past it.
_LIMITED = """
import json, resource, signal, sys
from pathlib import Path
from counterfoil.client.spool import SpoolWriter, read_spool
from counterfoil.clock import SystemClock
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = SpoolWriter(
    Path(sys.argv[1]), producer="p", boot="b", project="default", via="pytest",
    clock=SystemClock(), slim=lambda data: data[:40] if b"keep" in data else None,
)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
for number in range(40):
    spool.append(b'{"id":"%02d","keep":"%s"}' % (number, b"x" * 200))
dropped = spool.dropped
whole = spool.path.read_bytes()[-1:] == bytes([10])
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
spool.append(b'{"id":"40","drop":"%s"}' % (b"x" * 200))
spool.append(b'{"id":"41","keep":"%s"}' % (b"x" * 200))
spool.close()
print(json.dumps([dropped, spool.dropped, spool.records, whole]))
"""


def test_a_disk_that_takes_no_more_keeps_the_slim_part_and_counts_the_rest(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], check=True, capture_output=True, text=True
    )
    dropped_before, dropped, kept, whole = json.loads(ended.stdout)
    assert whole, "no half line stays, whenever the process is killed"
    read = read_spool(tmp_path / "p-b.spool")
    assert (read.ended, read.torn) == (True, None)
    assert len(read.records) == kept
    assert dropped_before > 20
    assert sum(gap.count for gap in read.gaps) == dropped == dropped_before + 1
    assert kept + dropped == 42
    slim = [one for one in read.records if len(one.payload) == 40]
    assert read.records[-1] in slim
    assert len(slim) > 1, "the slim parts fitted where the whole events did not"


def test_an_event_that_may_wait_is_written_with_the_next_one_or_soon(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.append(event(0), may_wait=True)
    spool.append(event(1))
    assert [one.payload for one in read_spool(spool.path).records] == [event(0), event(1)]
    spool.append(event(2), may_wait=True)
    give_up = time.monotonic() + 10
    while len(read_spool(spool.path).records) < 3:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    spool.append(event(3), may_wait=True)
    spool.close()
    assert len(read_spool(spool.path).records) == 4
    assert spool.records == 4
