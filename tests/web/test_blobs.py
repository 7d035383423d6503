"""PUT and GET /v1/blobs over a real connection: slow, cut, wrong, too much, all at once."""

import contextlib
import hashlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web_server import Reply, Running, event, running

MIB = 1024 * 1024
HOSTILE = b"<!doctype html><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose projects may keep 3 MiB each."""
    directory = tmp_path_factory.mktemp("poor") / "foil"
    with running(directory, settings=f"[blobs]\nquota_bytes = {3 * MIB}\n") as web:
        yield web


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def put(web: Running, content: bytes, digest: str = "", **headers: str) -> Reply:
    return web.call("PUT", f"/v1/blobs/{digest or digest_of(content)}", content, headers)


def stored(web: Running) -> set[Path]:
    return {path for path in (web.directory / "blobs").rglob("*") if path.is_file()}


def test_a_blob_goes_up_and_comes_down(web: Running) -> None:
    content = bytes(range(256)) * 10_000

    first, again = put(web, content), put(web, content, **{"Content-Type": "text/html"})
    down = web.get(f"/v1/blobs/{digest_of(content)}")

    assert first.status == 201
    assert first.json() == {
        "digest": digest_of(content), "size_bytes": len(content), "status": "kept",
    }  # fmt: skip
    assert again.json()["status"] == "duplicate"
    assert down.body == content
    assert down.headers["content-length"] == str(len(content))


def test_an_event_commits_to_a_blob_that_was_sent_before(web: Running) -> None:
    put(web, b"a log")
    data = {"blobs": [{"digest": digest_of(b"a log"), "name": "log", "mediatype": "text/plain"}]}

    [entry] = web.call("POST", "/v1/events", event(data=data)).json()["entries"]

    assert "blob/0" in entry["opening"]
    assert web.get(f"/v1/entries/{entry['index']}").json()["blobs"][0]["kept"] is True


def test_what_hashes_otherwise_is_refused_by_name_and_nothing_is_kept(web: Running) -> None:
    before = stored(web)

    refused = put(web, b"these bytes", digest_of(b"other bytes"))

    assert (refused.status, refused.code) == (400, "blob_digest")
    assert digest_of(b"these bytes") in refused.json()["detail"]
    assert stored(web) == before
    assert web.get(f"/v1/blobs/{digest_of(b'other bytes')}").status == 404


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2f..%2fadmin.token",
        "sha256:..%2f..%2fadmin.token",
        "sha256:" + "0" * 63,
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 64 + "%00",
        "sha256:" + "0" * 64 + "%2f..%2f..%2fledger.db",
        "..",
    ],
)
def test_a_name_that_leads_anywhere_else_is_no_name(web: Running, name: str) -> None:
    before = stored(web), (web.directory / "admin.token").read_bytes()

    refused = web.call("PUT", f"/v1/blobs/{name}", b"bytes")

    assert refused.status in {404, 405}
    assert (stored(web), (web.directory / "admin.token").read_bytes()) == before


def test_who_may_not_record_may_not_keep_evidence(web: Running) -> None:
    before = stored(web)

    refused = web.call("PUT", f"/v1/blobs/{digest_of(b'x')}", b"x", token=None)

    assert refused.status == 401
    assert web.call("GET", f"/v1/blobs/{digest_of(b'x')}", token=None).status == 401
    assert stored(web) == before


def open_put(web: Running, digest: str, length: int) -> socket.socket:
    """Begin an upload; the caller sends the rest, or does not."""
    line = socket.create_connection(("127.0.0.1", web.port), timeout=20)
    line.sendall(
        f"PUT /v1/blobs/{digest} HTTP/1.1\r\nHost: {web.host}\r\n"
        f"Authorization: Bearer {web.token}\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return line


def answer_of(line: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(line)
    answer.begin()
    return answer


def wait_until_gone(web: Running, before: set[Path]) -> bool:
    deadline = time.monotonic() + 10
    while stored(web) != before and time.monotonic() < deadline:
        time.sleep(0.02)
    return stored(web) == before


def test_an_upload_that_breaks_off_keeps_nothing(web: Running) -> None:
    before = stored(web)
    content = b"x" * (2 * MIB)

    with open_put(web, digest_of(content), len(content)) as line:
        line.sendall(content[:MIB])
        deadline = time.monotonic() + 10
        while stored(web) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stored(web) != before  # it is on its way
    assert wait_until_gone(web, before)
    assert web.get(f"/v1/blobs/{digest_of(content)}").status == 404


def test_an_upload_that_stalls_is_refused_and_keeps_nothing(web: Running) -> None:
    before = stored(web)
    content = b"y" * MIB

    with open_put(web, digest_of(content), len(content)) as line:
        line.sendall(content[: MIB // 2])
        answer = answer_of(line)

    assert answer.status == 408
    assert wait_until_gone(web, before)


def test_a_slow_upload_that_goes_on_is_kept(web: Running) -> None:
    content = b"slow but steady" * 500

    with open_put(web, digest_of(content), len(content)) as line:
        for at in range(0, len(content), 500):
            line.sendall(content[at : at + 500])
            time.sleep(0.05)
        answer = answer_of(line)

    assert answer.status == 201


def test_more_than_a_blob_may_be_is_refused_before_it_is_sent(web: Running) -> None:
    with open_put(web, digest_of(b""), 100 * MIB + 1) as line:
        answer = answer_of(line)

    assert answer.status == 413
    assert b"body_too_large" in answer.read()


def test_more_than_a_blob_may_be_is_refused_where_nobody_said_how_much(web: Running) -> None:
    """Chunked: only what has come tells."""
    before = stored(web)
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("PUT", f"/v1/blobs/{digest_of(b'')}", skip_host=True)
        for name, value in (("Host", web.host), ("Authorization", f"Bearer {web.token}"),
                            ("Transfer-Encoding", "chunked")):  # fmt: skip
            connection.putheader(name, value)
        connection.endheaders()
        piece = bytes(MIB)
        with contextlib.suppress(ConnectionError):
            for _ in range(101):
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        answer = connection.getresponse()
        assert answer.status == 413
    assert wait_until_gone(web, before)


def test_over_the_quota_is_refused_by_name_and_other_projects_go_on(poor: Running) -> None:
    assert put(poor, b"a" * (2 * MIB)).status == 201
    before = stored(poor)

    refused = put(poor, b"b" * (2 * MIB))

    assert (refused.status, refused.code) == (413, "blob_quota")
    assert stored(poor) == before
    assert put(poor, b"a" * (2 * MIB)).json()["status"] == "duplicate"
    content = b"c" * (2 * MIB)
    other = poor.call("PUT", f"/v1/blobs/{digest_of(content)}?project=other", content)
    assert other.status == 201
    assert poor.get(f"/v1/blobs/{digest_of(content)}").status == 404
    assert poor.get(f"/v1/blobs/{digest_of(content)}?project=other").body == content


def test_sixty_four_at_once_with_the_same_blob_keep_it_once(web: Running) -> None:
    before = stored(web)
    content = hashlib.sha256(b"many").digest() * 8_000
    barrier = threading.Barrier(64)
    answers: list[Reply] = []

    def send() -> None:
        barrier.wait()
        answers.append(put(web, content))

    threads = [threading.Thread(target=send) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status for answer in answers] == [201] * 64
    assert sorted(answer.json()["status"] for answer in answers).count("kept") == 1
    assert len(stored(web) - before) == 1
    assert web.get(f"/v1/blobs/{digest_of(content)}").body == content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HOSTILE, id="a page"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", id="an svg"),
        pytest.param(b"GIF89a/*" + HOSTILE, id="a page that begins as an image"),
        pytest.param(b"%PDF-1.7 /JS (app.alert(1))", id="a pdf"),
    ],
)
def test_what_comes_down_is_never_rendered(web: Running, content: bytes) -> None:
    put(web, content, **{"Content-Type": "text/html"})

    down = web.get(f"/v1/blobs/{digest_of(content)}", Accept="text/html")

    assert down.headers["content-type"] == "application/octet-stream"
    assert down.headers["content-disposition"].startswith("attachment;")
    assert down.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in down.headers["content-security-policy"]
    assert "default-src 'none'" in down.headers["content-security-policy"]
    assert down.body == content


def test_a_damaged_blob_is_told_before_a_byte_of_it_goes_out(web: Running) -> None:
    content = hashlib.sha256(b"to be damaged").digest() * 100_000
    before = stored(web)
    put(web, content)
    [path] = stored(web) - before
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    refused = web.get(f"/v1/blobs/{digest_of(content)}")

    assert (refused.status, refused.code) == (500, "damaged")
