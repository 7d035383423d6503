"""The writer's side of its worker processes: starts them, replaces them, records what they send.

A worker shares the listening socket; this process accepts nothing while it has workers.  It
gives entries to the recorder as they come, sends back where they stand once they are committed,
checked and signed, and takes over the connections a worker does not answer.

A worker that ends is replaced after `RESTART_S`.  What it had sent is recorded or refused as if
it still waited; its answers go nowhere, and the sender asks again with the same ids.
"""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final, cast

import msgspec

from counterfoil.app.home import Home
from counterfoil.app.record import Stood
from counterfoil.app.wire import (
    Frames,
    HandOver,
    Hello,
    Meet,
    Met,
    Place,
    Standing,
    Stands,
    Stop,
    Tally,
    ToWorker,
    Unplaced,
    by_commit,
    frame,
    read_from_worker,
)
from counterfoil.errors import CounterfoilError, UnavailableError
from counterfoil.web import worker as worker_program
from counterfoil.web.tally import ROUTE

RESTART_S: Final = 0.2
STOP_S: Final = 25.0

_LOG: Final = logging.getLogger("counterfoil.web")

Adopt = Callable[[socket.socket, bytes], None]


class Workers:
    """The worker processes of one server.  All of it runs in the server's event loop.

    Args:
        count: how many.
        home: what they record into.
        listening: the socket they accept from.
        public_url: what the server is called.
        adopt: takes over a connection with the bytes that came and were not answered.
    """

    def __init__(
        self, count: int, home: Home, listening: socket.socket, public_url: str, adopt: Adopt
    ) -> None:
        self._count = count
        self._home = home
        self._listening = listening
        self._adopt = adopt
        self._stopping = False
        self._workers: set[_Worker] = set()
        self._spreading: asyncio.Task[None] | None = None
        self._again = False
        self._public_url = public_url
        self._loop = asyncio.get_running_loop()
        home.access.changed.append(self._tell)

    @property
    def connections(self) -> int:
        """How many connections are open to them, as they told last."""
        return sum(worker.connections for worker in list(self._workers))

    @property
    def pids(self) -> list[int]:
        """The processes that run at this moment."""
        return sorted(worker.process.pid for worker in list(self._workers))

    async def start(self) -> None:
        """Start them; they accept as soon as they are up."""
        for _ in range(self._count):
            await self._start_one()

    async def stop(self) -> None:
        """Have them answer what they accepted, and end."""
        self._stopping = True
        self._home.access.changed.remove(self._tell)
        workers = list(self._workers)
        for worker in workers:
            worker.send(Stop())
        ending = [asyncio.to_thread(worker.process.wait, STOP_S) for worker in workers]
        for worker, ended in zip(
            workers, await asyncio.gather(*ending, return_exceptions=True), strict=True
        ):
            if isinstance(ended, BaseException):
                worker.process.kill()

    async def _start_one(self) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        # Datagrams: a descriptor and its number stay together.
        handing, handing_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [self._listening.fileno(), theirs.fileno(), handing_theirs.fileno()]
        with theirs, handing_theirs:
            process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-m", worker_program.__name__, *map(str, given)],
                pass_fds=given,
                stdin=subprocess.DEVNULL,
            )
        worker = _Worker(process, handing, self._home, self._adopt, self._ended)
        self._workers.add(worker)
        await loop.create_connection(lambda: worker, sock=ours)
        projects = tuple(log.project for log in self._home.log.projects())
        hello = Hello(
            str(self._home.directory),
            self._public_url,
            tuple(self._home.config.server.trusted_proxies),
            projects,
            await asyncio.to_thread(self._home.tokens.passes, projects),
            self._home.config.log,
        )
        worker.greet(hello)
        # What changed while it was being told is told again.
        self._spread()

    def _tell(self) -> None:
        """Note, from any thread, that whom to let in has changed."""
        self._loop.call_soon_threadsafe(self._spread)

    def _spread(self) -> None:
        if self._spreading is None or self._spreading.done():
            self._spreading = self._loop.create_task(self._say_passes())
        else:
            self._again = True

    async def _say_passes(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            projects = [log.project for log in self._home.log.projects()]
            passes = await asyncio.to_thread(self._home.tokens.passes, projects)
            for worker in list(self._workers):
                # To be told how to serve comes first.
                if worker.greeted:
                    worker.send(passes)

    def _ended(self, worker: "_Worker") -> None:
        self._workers.discard(worker)
        if not self._stopping:
            _LOG.warning("worker process %d ended; it is replaced", worker.process.pid)
            self._home.meters.replaced_worker()
            loop = asyncio.get_running_loop()
            loop.call_later(RESTART_S, lambda: loop.create_task(self._replace(worker)))

    async def _replace(self, ended: "_Worker") -> None:
        await asyncio.to_thread(ended.process.wait)
        if not self._stopping:
            await self._start_one()


class _Worker(asyncio.Protocol):
    """One worker process, as the writer sees it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        handing: socket.socket,
        home: Home,
        adopt: Adopt,
        ended: "Callable[[_Worker], None]",
    ) -> None:
        self.process = process
        self.greeted = False
        self.connections = 0
        self._handing = handing
        self._home = home
        self._adopt = adopt
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._bytes_of: dict[int, bytes] = {}
        self._socket_of: dict[int, socket.socket] = {}
        self._lost: set[int] = set()
        self._outbox: list[Stands | Unplaced] = []
        self._posting = threading.Lock()
        handing.setblocking(False)
        self._loop.add_reader(handing, self._take_socket)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's name
        """The process is gone, or about to be."""
        self._transport = None
        self._loop.remove_reader(self._handing)
        self._handing.close()
        for left in self._socket_of.values():
            left.close()
        self._ended(self)

    def data_received(self, data: bytes) -> None:
        """Record what is to be placed; take over what is handed over."""
        try:
            for one in self._frames.feed(data):
                match read_from_worker(one):
                    case Place() as place:
                        self._place(place)
                    case Meet() as meet:
                        meeting = self._loop.run_in_executor(None, self._meet, meet)
                        meeting.add_done_callback(self._met)
                    case HandOver(number, unanswered):
                        self._bytes_of[number] = unanswered
                        self._take_over(number)
                    case Tally() as tally:
                        self._count(tally)
        except (ValueError, msgspec.MsgspecError):
            _LOG.exception("worker process %d speaks another language", self.process.pid)
            self.process.kill()

    def greet(self, hello: Hello) -> None:
        """Say how to serve; nothing is sent before."""
        self.greeted = True
        self.send(hello)

    def send(self, message: ToWorker) -> None:
        """Send a message, if there is still somebody to send it to."""
        if self._transport is not None:
            self._transport.write(frame(message))

    def _place(self, place: Place) -> None:
        gate = self._home.recorder.gate
        # The number is read inside: an erasure changes it before it lets anybody in again.
        if not gate.enter():
            self.send(Unplaced(place.number))
            return
        try:
            if place.version != self._home.access.version:
                # Something about who may changed since, or a key is gone: it is asked again, here.
                self.send(Unplaced(place.number))
                return
            self._home.tokens.note_used(place.credential)
            placing = self._home.recorder.place(place.project, place.items, place.times_at)
        finally:
            gate.leave()
        placing.add_done_callback(partial(self._placed, place.number))

    def _placed(self, number: int, done: "Future[Stood]") -> None:
        """Send the answer from the event loop; mostly this runs in the writer thread."""
        answer = _answer(number, done)
        if isinstance(answer, Unplaced) and answer.code:
            self._home.meters.refused(answer.code)
        with self._posting:
            self._outbox.append(answer)
            alone = len(self._outbox) == 1
        if alone:
            # The answers of one commit share one wake-up.
            self._loop.call_soon_threadsafe(self._empty_outbox)

    def _empty_outbox(self) -> None:
        with self._posting:
            messages, self._outbox = self._outbox, []
        if self._transport is not None:
            self._transport.write(b"".join(map(frame, by_commit(messages))))

    def _count(self, tally: Tally) -> None:
        self.connections = tally.connections
        self._home.meters.answered_elsewhere(
            ROUTE, "POST", tally.statuses, tally.counts, tally.sum_s
        )

    def _meet(self, meet: Meet) -> Met:
        try:
            self._home.recorder.meet(meet.project, meet.keys, meet.accounts)
        except CounterfoilError:
            return Met(meet.number, failed=True)
        return Met(meet.number, failed=False)

    def _met(self, done: "asyncio.Future[Met]") -> None:
        self.send(done.result())

    def _take_socket(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._handing, 8, 1)
        except BlockingIOError:
            return
        if not data:
            # The other end is closed; the channel says so too.
            self._loop.remove_reader(self._handing)
            return
        number = int.from_bytes(data, "big")
        if not descriptors:
            # None was left to take it by: that connection is lost, and no other one.
            self._lost.add(number)
            self._take_over(number)
            return
        self._socket_of[number] = socket.socket(fileno=descriptors[0])
        self._take_over(number)

    def _take_over(self, number: int) -> None:
        """Serve a connection here once both its halves have come."""
        if number in self._lost and number in self._bytes_of:
            self._lost.discard(number)
            del self._bytes_of[number]
        if number in self._bytes_of and number in self._socket_of:
            self._adopt(self._socket_of.pop(number), self._bytes_of.pop(number))


def _answer(number: int, done: "Future[Stood]") -> Stands | Unplaced:
    error = done.exception()
    if isinstance(error, UnavailableError):
        return Unplaced(number, error.code, error.message)
    if error is not None:
        return Unplaced(number)
    stood = done.result()
    if stood.placed.duplicates:
        return Unplaced(number)
    standing = Standing(number, stood.recordedtime, stood.placed.indices[0])
    return Stands(standing, stood.placed.added)
