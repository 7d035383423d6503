"""A worker process: plain posts of events, answered; every other connection handed over.

    python -m counterfoil.web.worker LISTENING CHANNEL HANDING   (descriptors, from `workers`)

What must hold: a worker answers 201 with receipts it has checked, or 503, and nothing else.
Whatever it does not answer it hands over, the connection with every byte that nobody has
answered, to the process that writes: strangers, refusals, sessions, slow bodies, every other
call.  So the rules about those stand in one place, and a defect here can lose a connection, but
not let anybody in and not acknowledge what is not in the log.

If this process is killed, its connections break, what it had sent to the writer is recorded or
not, and the sender asks again with the same ids.  If the writer ends, this process says 503 to
who waits and ends too.
"""

import asyncio
import contextlib
import email.utils
import hashlib
import http
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from counterfoil.app.desk import Desk, Strangers, answers_to
from counterfoil.app.log_lines import ID_BYTES, Asked, RequestLines, set_up
from counterfoil.app.prepare import Prepared
from counterfoil.app.wire import (
    Frames,
    FromWorker,
    HandOver,
    Hello,
    Meet,
    Met,
    Passes,
    Place,
    Placed,
    Stop,
    Unplaced,
    frame,
    read_to_worker,
)
from counterfoil.clock import SystemClock, format_time
from counterfoil.errors import UnavailableError
from counterfoil.garbage import collect_rarely
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import Credential
from counterfoil.web.api.errors import MEDIA_TYPE, RETRY_AFTER_S, document_of, status_of
from counterfoil.web.api.posted import BODY_MAX_BYTES, EventsAnswer, entry_answer
from counterfoil.web.crowd import end_unread
from counterfoil.web.head import HEAD_MAX_BYTES, START, Head, read_head
from counterfoil.web.security import HEADERS, HSTS
from counterfoil.web.site import Site, make_site
from counterfoil.web.tally import ROUTE, TELL_EVERY_S, Answered

PATIENCE_S: Final = 1.0
"""How long a silent or unfinished connection is kept before the writer's process has it."""
STOP_S: Final = 20.0
_PIPELINED_MAX_BYTES: Final = 256 * 1024


class Worker:
    """What the connections of one worker process share.

    Args:
        hello: how to serve.
        port: the port requests come in at.
        channel: frames to the writer.
        handing: where descriptors go, by number.
    """

    def __init__(
        self, hello: Hello, port: int, channel: asyncio.WriteTransport, handing: socket.socket
    ) -> None:
        self._hello = hello
        self._port = port
        self._channel = channel
        self._handing = handing
        self._site: Site = make_site(hello.public_url, hello.proxies)
        self._projects = frozenset(hello.projects)
        self._passes = hello.passes
        self._clock = SystemClock()
        self._desk = Desk(Path(hello.directory), SystemRandomness())
        self._waiting: dict[int, tuple[Connection, list[Prepared]]] = {}
        self._meeting: dict[int, tuple[Connection, Head, bytes, Credential]] = {}
        self._encoder = msgspec.json.Encoder()
        self._number = 0
        fixed = {**HEADERS, "cache-control": "no-store"}
        if self._site.https:
            fixed["strict-transport-security"] = HSTS
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in fixed.items()).encode()
        self.connections: set[Connection] = set()
        self._answered = Answered()
        self._lines = RequestLines()
        self._telling = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._keep_telling)
        self.stopping = False
        self.drained = asyncio.Event()

    def _keep_telling(self) -> None:
        self._telling = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._keep_telling)
        self.tell()

    def tell(self) -> None:
        """Tell the writer what was answered since the last time."""
        tally = self._answered.take(len(self.connections))
        if tally is not None:
            self._send(tally)

    def note(self, status: int, took_s: float, credential: str, request_id: str) -> None:
        """Count an answer, and tell of it."""
        self._answered.note(status, took_s)
        self._lines.answered(status, took_s, Asked(request_id, "POST", ROUTE, credential))

    def stop(self) -> None:
        """Answer what waits, and take nothing more."""
        self.stopping = True
        self._note_drained()
        for connection in list(self.connections):
            connection.close()

    def _note_drained(self) -> None:
        if self.stopping and not self._waiting and not self._meeting:
            self.drained.set()

    def let_in(self, passes: Passes) -> None:
        """Go by other passes from here on."""
        self._passes = passes

    def caller(self, head: Head) -> Credential | None:
        """Return who sends a plain head, if it is for us, or None: the writer will say more."""
        known = self._site.is_public(head.host) or self._site.is_loopback(head.host, self._port)
        if not known or head.project not in self._projects:
            return None
        # A digest is looked up, not the token: how long that takes tells nothing about a token.
        found = self._passes.tokens.get(hashlib.sha256(head.token.encode()).digest())
        if found is None or head.project not in found.projects:
            return None
        return found.credential if format_time(self._clock.now()) < found.until else None

    def post(self, connection: "Connection", head: Head, body: bytes, who: Credential) -> bool:
        """Send a request's events to the writer; False if it is not one for a worker."""
        prepared = self._desk.take(head.project, body, head.content_type, who)
        if prepared is None:
            return False
        self._number += 1
        if isinstance(prepared, Strangers):
            self._meeting[self._number] = (connection, head, body, who)
            self._send(Meet(self._number, head.project, prepared.keys, prepared.accounts))
            return True
        self._waiting[self._number] = (connection, prepared)
        items, times_at = [one.item for one in prepared], [one.time_at for one in prepared]
        version = self._passes.version
        self._send(Place(self._number, head.project, version, who.id, items, times_at))
        return True

    def met(self, met: Met) -> None:
        """Go on with a request whose strangers have their pseudonyms."""
        connection, head, body, who = self._meeting.pop(met.number)
        if met.failed or not self.post(connection, head, body, who):
            connection.hand_over()
        self._note_drained()

    def placed(self, placed: Placed) -> None:
        """Answer requests whose entries are in the log."""
        waiting = {one.number: self._waiting.pop(one.number) for one in placed.requests}
        sent = {number: prepared for number, (_, prepared) in waiting.items()}
        for number, answers in answers_to(placed, sent):
            body = self._encoder.encode(EventsAnswer([entry_answer(one) for one in answers]))
            answer = self._response("201 Created", "application/json", body)
            waiting[number][0].answer(answer, 201)
        self._note_drained()

    def unplaced(self, unplaced: Unplaced) -> None:
        """Pass a refusal on, or the connection to whoever can say more."""
        connection, _ = self._waiting.pop(unplaced.number)
        if unplaced.code:
            connection.answer(*self._refusal(unplaced.code, unplaced.message))
        else:
            connection.hand_over()
        self._note_drained()

    def hand_over(self, descriptor: int, unanswered: bytes) -> None:
        """Give a connection to the writer's process."""
        self._number += 1
        self._send(HandOver(self._number, unanswered))
        socket.send_fds(self._handing, [self._number.to_bytes(8, "big")], [descriptor])

    def end(self) -> None:
        """Say 503 to everybody who waits: the writer is gone, and nobody knows what it did."""
        waiting = [connection for connection, _ in self._waiting.values()]
        waiting += [connection for connection, *_ in self._meeting.values()]
        for connection in waiting:
            connection.answer(
                *self._refusal("stopping", "the server ends: send this again with the same ids")
            )
        self._telling.cancel()
        self._waiting.clear()
        self._meeting.clear()
        for connection in list(self.connections):
            connection.close()
        self._desk.close()

    def _send(self, message: FromWorker) -> None:
        self._channel.write(frame(message))

    def _refusal(self, code: str, message: str) -> tuple[bytes, int]:
        error = UnavailableError(code, message)
        status = status_of(error)
        answer = self._response(
            f"{status} {http.HTTPStatus(status).phrase}", MEDIA_TYPE,
            self._encoder.encode(document_of(error)), f"retry-after: {RETRY_AFTER_S}\r\n".encode(),
        )  # fmt: skip
        return answer, status

    def _response(self, status: str, media: str, body: bytes, more: bytes = b"") -> bytes:
        ending = b"connection: close\r\n" if self.stopping else b""
        head = (
            f"HTTP/1.1 {status}\r\ndate: {email.utils.formatdate(usegmt=True)}\r\n"
            f"content-type: {media}\r\ncontent-length: {len(body)}\r\n"
        )
        return b"".join((head.encode(), self._fixed, more, ending, b"\r\n", body))


class Connection(asyncio.Protocol):
    """One connection of a client: at most one request is on its way."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._request = b""
        self._asked_s = 0.0
        self._credential = ""
        self._is_full = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request, but not for long."""
        self._transport = cast("asyncio.Transport", transport)
        # Any byte of an answer that waits here counts as full: who gets the connection next must
        # not speak before the answer is out, and letting go of it drops what still waits.
        self._transport.set_write_buffer_limits(high=0)
        end_unread(transport.get_extra_info("socket"))
        self._worker.connections.add(self)
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's name
        """Forget it; what is on its way is recorded all the same."""
        self._transport = None
        self._worker.connections.discard(self)
        self._stop_patience()

    def data_received(self, data: bytes) -> None:
        """Take bytes; one request at a time is looked at."""
        self._received += data
        if not self._request and not self._is_full:
            self._look()
        elif len(self._received) > _PIPELINED_MAX_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def answer(self, response: bytes, status: int) -> None:
        """Write an answer and go on with what has come meanwhile."""
        self._request = b""
        asked = os.urandom(ID_BYTES).hex()
        took_s = time.perf_counter() - self._asked_s
        self._worker.note(status, took_s, self._credential, asked)
        if self._transport is None:
            return
        head = response.index(b"\r\n") + 2
        self._transport.writelines(
            (response[:head], f"x-request-id: {asked}\r\n".encode(), response[head:])
        )
        if not self._is_full:
            self._go_on()

    def pause_writing(self) -> None:
        """Note that an answer is not out yet."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on: the answer is out."""
        self._is_full = False
        self._go_on()

    def _go_on(self) -> None:
        if self._transport is None:
            return
        self._transport.resume_reading()
        if self._worker.stopping:
            self._transport.close()
        elif self._received:
            self._look()
        else:
            self._be_patient()

    def hand_over(self) -> None:
        """Give the connection to the writer, with everything unanswered, and let go of it."""
        transport = self._transport
        if transport is None:
            return
        unanswered, self._request = self._request + bytes(self._received), b""
        self._received.clear()
        self._stop_patience()
        transport.pause_reading()
        self._worker.hand_over(transport.get_extra_info("socket").fileno(), unanswered)
        # Only this process's descriptor: the connection itself is the writer's from here on.
        transport.abort()

    def close(self) -> None:
        """End it, if no answer is due."""
        if self._transport is not None and not self._request:
            self._transport.close()

    def _look(self) -> None:
        """Take a whole plain request out of what was received, wait for it, or hand over."""
        received = self._received
        end = received.find(b"\r\n\r\n", 0, HEAD_MAX_BYTES)
        if end < 0:
            begins = received[: len(START)] == START[: len(received)]
            if not begins or len(received) >= HEAD_MAX_BYTES:
                self.hand_over()
            else:
                self._be_patient()
            return
        head = read_head(bytes(received[:end]))
        who = self._worker.caller(head) if head is not None else None
        if head is None or who is None or head.length_bytes > BODY_MAX_BYTES:
            self.hand_over()
            return
        whole = end + 4 + head.length_bytes
        if len(received) < whole:
            self._be_patient()
            return
        self._stop_patience()
        self._asked_s, self._credential = time.perf_counter(), who.id
        self._request = bytes(received[:whole])
        del received[:whole]
        if not self._worker.post(self, head, self._request[end + 4 :], who):
            self.hand_over()

    def _be_patient(self) -> None:
        if self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_S, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self._patience = None
        if not self._request:
            self.hand_over()

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Channel(asyncio.Protocol):
    """The frames between this process and the writer."""

    def __init__(self, listening: socket.socket, handing: socket.socket) -> None:
        self._listening = listening
        self._handing = handing
        self._frames = Frames()
        self._worker: Worker | None = None
        self._server: asyncio.Server | None = None
        self._begun: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's name
        """End: without the writer nothing can be acknowledged."""
        if self._server is not None:
            self._server.close()
        if self._worker is not None:
            self._worker.stopping = True
            self._worker.end()
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Do what the writer says."""
        for data_of_one in self._frames.feed(data):
            message = read_to_worker(data_of_one)
            match message:
                case Hello():
                    self._begin(message)
                case Passes():
                    self._of_worker().let_in(message)
                case Met():
                    self._of_worker().met(message)
                case Placed():
                    self._of_worker().placed(message)
                case Unplaced():
                    self._of_worker().unplaced(message)
                case Stop():
                    self._begun = asyncio.get_running_loop().create_task(self._stop())

    def _begin(self, hello: Hello) -> None:
        assert self._transport is not None
        set_up(hello.log)
        port = self._listening.getsockname()[1]
        worker = Worker(hello, port, self._transport, self._handing)
        self._worker = worker
        self._begun = asyncio.get_running_loop().create_task(self._listen(worker))

    async def _listen(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(worker), sock=self._listening)

    async def _stop(self) -> None:
        """Answer what was accepted, then end."""
        worker = self._of_worker()
        if self._server is not None:
            self._server.close()
        worker.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await worker.drained.wait()
        worker.tell()
        if self._transport is not None:
            self._transport.close()

    def _of_worker(self) -> Worker:
        assert self._worker is not None, "the writer says how to serve first"
        return self._worker


async def _run(listening: socket.socket, channel: socket.socket, handing: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(lambda: Channel(listening, handing), sock=channel)
    await protocol.ended


def main() -> None:
    """Serve until the writer says stop, or is gone."""
    # Ctrl-C reaches the whole group: when to end is the writer's word.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listening, channel, handing = (socket.socket(fileno=int(one)) for one in sys.argv[1:4])
    collect_rarely()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(listening, channel, handing))
    os._exit(0)


if __name__ == "__main__":
    main()
