"""The load generator: posts events over kept connections, and keeps every answer.

    python -m bench.posting PLAN

A process of its own, so that what it costs is not mistaken for the server's.  Bodies are made
from one template; an answer is timed from the last byte sent to the last byte received, written
to a file as it came, and judged by nobody here: `bench.receipts` does that.

The file of answers: for each, 4 bytes of length (big endian), 4 bytes of how many events its
request had, 8 bytes of the first one's number, and the body.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

SOURCE: Final = "https://ci.example/acme/shop"
_REFS: Final = (
    b'[{"ref":"commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8","role":"input"},'
    b'{"ref":"env:staging","role":"environment"}]'
)
_EVENT: Final = (
    b'{"specversion":"1.0","id":"%(id)d","source":"https://ci.example/acme/shop",'
    b'"type":"com.example.step.finished","time":"2026-11-20T12:00:00Z",'
    b'"authtype":"service_account","authid":"ci.example:acme/shop-%(who)d",'
    b'"subject":"run:acme/shop/%(run)d","producer":"ci-7","boot":"b1","seq":%(id)d,'
    b'"data":{"outcome":"success","step":"integration tests","duration_s":%(run)d.25,'
    b'"host":"runner-%(who)d.ci.example","note":"312 passed, 4 skipped in the second attempt",'
    b'"refs":' + _REFS + b"}}"
)
_DRAIN_S: Final = 30.0


class Plan(msgspec.Struct, frozen=True):
    """What to post.

    Args:
        port: of the server, on loopback.
        token: a bearer token.
        batch: events in a request; 1 posts single events.
        connections: kept open, one request at a time on each.
        seconds: how long requests are begun.
        warm_s: answers of this long from the start are kept, but not timed.
        first: number of the first event; ids are numbers.
        answers: where to write the answers.
    """

    port: int
    token: str
    batch: int
    connections: int
    seconds: float
    warm_s: float
    first: int
    answers: str


class Posted(msgspec.Struct, frozen=True):
    """What came of it.

    Args:
        events: recorded within the timed part.
        elapsed_s: of the timed part.
        times_s: of every timed request, sorted.
        refused: status -> how many answers had it instead of 201.
        cpu_s: processor time of this process, all of it.
        next: number of the first event that was not sent.
    """

    events: int
    elapsed_s: float
    times_s: list[float]
    refused: dict[int, int]
    cpu_s: float
    next: int


def event_bytes(number: int) -> bytes:
    """Return event `number` as it is posted: about 620 bytes."""
    return _EVENT % {b"id": number, b"who": number % 40, b"run": number // 50}


class _Run:
    """One run over all connections."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.next = plan.first
        self.began = self.timed_from = self.ends = self.last = 0.0
        self.times: list[float] = []
        self.events = 0
        self.refused: dict[int, int] = {}
        self.kept: list[bytes] = []
        kind = "application/json" if plan.batch == 1 else "application/cloudevents-batch+json"
        self._head = (
            f"POST /v1/events HTTP/1.1\r\nHost: localhost:{plan.port}\r\n"
            f"Authorization: Bearer {plan.token}\r\nContent-Type: {kind}\r\nContent-Length: "
        ).encode()

    def request(self) -> tuple[int, bytes]:
        """Return the first event's number and the whole next request."""
        first, batch = self.next, self.plan.batch
        self.next += batch
        if batch == 1:
            body = event_bytes(first)
        else:
            body = b"[" + b",".join(map(event_bytes, range(first, first + batch))) + b"]"
        return first, b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def answered(self, first: int, status: int, body: bytes, sent: float) -> None:
        """Take one answer."""
        now = self.last = time.perf_counter()
        if status != 201:
            self.refused[status] = self.refused.get(status, 0) + 1
            return
        head = len(body).to_bytes(4, "big") + self.plan.batch.to_bytes(4, "big")
        self.kept += (head + first.to_bytes(8, "big"), body)
        if sent >= self.timed_from:
            self.times.append(now - sent)
            self.events += self.plan.batch


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, run: _Run, done: "asyncio.Future[None]") -> None:
        self._run = run
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._whole = 0
        self._status = 0
        self._body_at = 0
        self._first = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if not self._whole:
            end = self._waiting.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._waiting[:end]).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            self._status, self._body_at = int(head[9:12]), end + 4
            self._whole = self._body_at + length
        if len(self._waiting) >= self._whole:
            body = bytes(self._waiting[self._body_at : self._whole])
            self._waiting.clear()
            self._whole = 0
            self._run.answered(self._first, self._status, body, self._sent)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the name is asyncio's
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        if time.perf_counter() >= self._run.ends:
            self._transport.close()
            return
        self._first, request = self._run.request()
        self._sent = time.perf_counter()
        self._transport.write(request)


async def _post(run: _Run) -> None:
    loop = asyncio.get_running_loop()
    run.began = time.perf_counter()
    run.timed_from = run.began + run.plan.warm_s
    run.ends = run.timed_from + run.plan.seconds
    ended: list[asyncio.Future[None]] = []
    for _ in range(run.plan.connections):
        done: asyncio.Future[None] = loop.create_future()
        ended.append(done)
        await loop.create_connection(
            lambda done=done: _Connection(run, done),  # type: ignore[misc]
            "127.0.0.1",
            run.plan.port,
        )
    await asyncio.wait(ended, timeout=run.plan.seconds + run.plan.warm_s + _DRAIN_S)


def post(plan: Plan) -> Posted:
    """Post by plan, in this process; answers are written once the last one is there."""
    run = _Run(plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_post(run))
    with Path(plan.answers).open("ab") as file:
        file.writelines(run.kept)
    return Posted(
        run.events, run.last - run.timed_from, sorted(run.times), run.refused,
        time.process_time(), run.next,
    )  # fmt: skip


if __name__ == "__main__":
    posted = post(msgspec.json.decode(sys.argv[1], type=Plan))
    sys.stdout.buffer.write(msgspec.json.encode(posted))
