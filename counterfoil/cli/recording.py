"""One step on its way into the record: to a server, into a ledger, or into a spool.

The order is the promise: what no server has answered for is in a spool before we end, and the
spooled copy goes only after the answer.  If we crash in between, `push` sends it again and the
server answers "duplicate".
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from counterfoil.cli.child import Ended
from counterfoil.cli.step_reports import StepReports, WrittenReport

if TYPE_CHECKING:
    from counterfoil.client.redact import Redactor
    from counterfoil.client.spool import SpoolWriter
    from counterfoil.client.step import Step

DELIVERY_S = 2.0
REPORT_S = 10.0  # of a server that has just answered
BATCH = "application/cloudevents-batch+json"
NO_COUNTERFOIL = "what answered is no Counterfoil"

Options = dict[str, list[str]]


class Unsent(Exception):  # noqa: N818  a reason, not a fault
    """Why a step stays in the spool."""


class Untrue(Unsent):
    """It was answered by receipts that do not hold, which somebody has to hear of."""


class Recording:
    """What becomes of one step.  Imports what it needs when it needs it: see `run`."""

    def __init__(
        self,
        options: Options,
        command: Sequence[str],
        variables: Mapping[str, str],
        refs: Sequence[tuple[str, str]],
        boot: str,
    ) -> None:
        """Take what is known before the command begins, and look at the files it takes in."""
        self.run = f"run:step/{boot}"
        self.started = ""
        self._boot = boot
        self._options = options
        self._command = command
        self._variables = variables
        self._refs = refs
        self._directory = self._named("--dir", "COUNTERFOIL_DIR")
        self._url = "" if self._directory else self._named("--url", "COUNTERFOIL_URL")
        self._project = self._named("--project", "COUNTERFOIL_PROJECT") or "default"
        self._folder = spool_folder(self._directory)
        self._inputs = self._digests("--input")
        self._reports = StepReports(options.get("--report", []), self.run)
        self._server: Server | None = None  # the one that took the events
        self._events: list[bytes] = []
        self._writer: SpoolWriter | None = None

    def prepare(self) -> None:
        """Load what describing and sending takes, while the command runs; never raises."""
        try:
            import counterfoil.client.redact  # noqa: PLC0415  see the class
            import counterfoil.client.step  # noqa: PLC0415  the same

            if self._url:
                import counterfoil.client.post  # noqa: F401, PLC0415  the same
        except Exception:  # noqa: BLE001, S110  said when the command has ended and it is needed
            pass

    def begun(self) -> None:
        """Spool that the command began; trouble with that waits for its end."""
        from counterfoil.errors import CounterfoilError  # noqa: PLC0415  light anyway

        step, redactor = self._described()
        self._events = [step.start_event(redactor)]
        try:
            self._spool(self._events)
        except CounterfoilError:
            self._writer = None

    def ended(self, ended: Ended, finished: str, duration_ms: int) -> None:
        """Send how it ended, or spool it and say so."""
        step, redactor = self._described()
        if not self._events:
            self._events = [step.start_event(redactor)]
        last = step.finish_event(
            redactor,
            finished=finished,
            duration_ms=duration_ms,
            code=ended.code,
            signal=ended.signal,
            failure=ended.failure,
            outputs=self._digests("--output"),
            reports=[report.run for report in self._reports],
        )
        spooled = self._writer is not None
        if spooled:
            self._spool([last])
        try:
            self._deliver([*self._events, last])
        except Unsent as why:
            if not spooled:
                self._spool([*self._events, last])
            self._close()
            for report in self._reports:
                self._keep(report)
            self._say_kept(str(why), "the step")
            return
        for report in self._reports:
            try:
                self._send_report(report)
            except Unsent as why:
                self._keep(report)
                self._say_kept(str(why), report.path)
        if self._writer is not None:
            self._close()
            from counterfoil.client.push import forget  # noqa: PLC0415  few steps come here

            forget(self._writer.path)

    def _named(self, option: str, variable: str) -> str:
        given = self._options.get(option)
        return given[-1] if given else self._variables.get(variable, "")

    def _digests(self, option: str) -> list[dict[str, object]]:
        paths = self._options.get(option, [])
        if not paths:
            return []
        from counterfoil.client.step import digest_files  # noqa: PLC0415  see the class

        return digest_files(paths)

    def _described(self) -> "tuple[Step, Redactor]":
        from counterfoil.client.redact import Redactor, read_key  # noqa: PLC0415  see the class
        from counterfoil.client.step import Step  # noqa: PLC0415  the same

        step = Step(
            boot=self._boot,
            name=(self._options.get("--step") or [os.path.basename(self._command[0])])[-1],  # noqa: PTH119  light
            words=self._command,
            variables=self._variables,
            refs=self._refs,
            inputs=self._inputs,
            started=self.started,
        )
        return step, Redactor(read_key(self._folder))

    def _deliver(self, events: Sequence[bytes]) -> None:
        """Get the events answered for.

        Raises:
            Unsent: nobody did.
        """
        if self._url:
            self._post((self._url, self._bearer(), ""), events)
        elif self._directory:
            self._append(self._directory, events)
        else:
            raise Unsent("no ledger is named (--dir, --url or COUNTERFOIL_URL)")

    def _bearer(self) -> str:
        """Return the token for the server.

        Raises:
            Unsent: this job has none of its own that the server takes.
        """
        from counterfoil.client.bearer import bearer  # noqa: PLC0415  see the class
        from counterfoil.errors import CounterfoilError  # noqa: PLC0415  light

        try:
            return bearer(self._url, self._project, self._variables, timeout_s=DELIVERY_S)
        except CounterfoilError as error:
            raise Unsent(f"{error.message} [{error.code}]") from error

    def _append(self, directory: str, events: Sequence[bytes]) -> None:
        """Record through the server that owns the directory, or in it if nobody does."""
        import json  # noqa: PLC0415  see the class

        if not os.path.exists(os.path.join(directory, "ledger.db")):  # noqa: PTH110, PTH118  light
            raise Unsent(f"{directory} holds no ledger")
        try:
            with open(os.path.join(directory, "server.json"), "rb") as file:  # noqa: PTH118, PTH123
                said = json.load(file)
            with open(os.path.join(directory, "admin.token"), "rb") as file:  # noqa: PTH118, PTH123
                token = file.read(200).decode("ascii").strip()
            server = (str(said["url"]), token, str(said.get("certificate", "")))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            server = ("", "", "")
        if server[0]:
            try:
                self._post(server, events)
            except Untrue:
                raise
            except Unsent:
                # Left behind by a server that was killed?  Then the lock is free.
                pass
            else:
                return
        self._append_here(directory, events)

    def _append_here(self, directory: str, events: Sequence[bytes]) -> None:
        from pathlib import Path  # noqa: PLC0415  see the class

        from counterfoil.errors import CounterfoilError  # noqa: PLC0415  the same
        from counterfoil.events import canonical  # noqa: PLC0415  the same
        from counterfoil.events.event import parse_event  # noqa: PLC0415  the same

        try:
            from counterfoil.app.local import open_local  # noqa: PLC0415  absent from a core install
        except ImportError:
            raise Unsent("no server answers for it, and this install holds none") from None
        try:
            parsed = [parse_event(canonical.read(event)) for event in events]
            with open_local(Path(directory), self._project) as ledger:
                ledger.record(parsed)
        except CounterfoilError as error:
            raise Unsent(f"{error.message} [{error.code}]") from error

    def _post(self, server: "Server", events: Sequence[bytes]) -> None:
        """Post the events, for `DELIVERY_S` at most.

        Raises:
            Unsent: not answered with 201 in that time, or not by Counterfoil.
            Untrue: answered by what does not hold.
        """
        body = b"[" + b",".join(events) + b"]"
        sent = ("/v1/events", {"project": self._project}, body, BATCH)
        _, why, answer = _within(DELIVERY_S, server, sent)
        if why:
            raise Unsent(why)
        self._keep_receipts(answer, len(events))
        # Not before: the reports must not follow to whatever else answers there.
        self._server = server

    def _keep_receipts(self, answer: bytes, count: int | None = None) -> None:
        """Check what came back, and keep it.

        Whether the entries hold what was sent is left to `verify --event`: comparing commitments
        takes a library that takes longer to load than many a command runs.

        Args:
            answer: the body.
            count: how many events it answers for; None where the server made them, of a report.

        Raises:
            Unsent: it is no answer of Counterfoil, so the events stay in the spool.
            Untrue: it is no receipt of these events, so they stay there too.
        """
        import json  # noqa: PLC0415  see the class
        from pathlib import Path  # noqa: PLC0415  the same

        from counterfoil.client.receipts import keep_here  # noqa: PLC0415  the same
        from counterfoil.errors import CounterfoilError  # noqa: PLC0415  the same

        try:
            entries = json.loads(answer)["entries"]
            if count is not None and len(entries) != count:
                raise Unsent(NO_COUNTERFOIL)
            why = keep_here(entries, spool=Path(self._folder))
        except CounterfoilError as error:
            raise Untrue(f"the answer does not hold: {error.message} [{error.code}]") from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise Unsent(NO_COUNTERFOIL) from error
        if why:
            say(f"the receipts are not kept: {why}")

    def _query(self, report: WrittenReport) -> dict[str, str]:
        """Return what is said of a report beside its bytes."""
        query = {"run": report.run, "name": os.path.basename(report.path)[:200]}  # noqa: PTH119  light
        for ref, role in self._refs:
            if (ref[:7], role) == ("commit:", "input"):
                query["commit"] = ref
            elif (ref[:4], role) == ("env:", "environment"):
                query["environment"] = ref[4:204]
        return query

    def _send_report(self, report: WrittenReport) -> None:
        """Record a report where the events went; one that is refused is said to be, and left.

        Raises:
            Unsent: nobody answered.
        """
        try:
            content = report.read()
        except OSError as error:
            say(f"{report.path} is not recorded: {error.strerror}")
            return
        if self._server is not None:
            query = {"project": self._project, **self._query(report)}
            sent = ("/v1/reports", query, content, "application/xml")
            status, why, answer = _within(REPORT_S, self._server, sent)
            if status is None or status >= 500:
                raise Unsent(why)
            if not why:
                self._keep_receipts(answer)
        else:
            why = self._report_here(content, self._query(report))
        if why:
            say(f"{report.path} is not recorded: {why}")

    def _report_here(self, content: bytes, query: Mapping[str, str]) -> str:
        from pathlib import Path  # noqa: PLC0415  see the class

        from counterfoil.app.local import open_local  # noqa: PLC0415  it has taken the events
        from counterfoil.errors import RequestError, UnavailableError  # noqa: PLC0415  light

        try:
            with open_local(Path(self._directory), self._project) as ledger:
                ledger.report(content, query)
        except RequestError as error:
            return f"{error.message} [{error.code}]"
        except UnavailableError as error:
            raise Unsent(f"{error.message} [{error.code}]") from error
        return ""

    def _keep(self, report: WrittenReport) -> None:
        from pathlib import Path  # noqa: PLC0415  see the class

        from counterfoil.client.kept_reports import keep_report  # noqa: PLC0415  the same
        from counterfoil.errors import UnavailableError  # noqa: PLC0415  light

        name = report.run.rpartition("/")[2]
        try:
            keep_report(Path(self._folder), name, report.read(), self._project, self._query(report))
        except (OSError, UnavailableError) as error:
            say(f"{report.path} is not recorded: {error}")

    def _say_kept(self, why: str, what: str) -> None:
        where = f"--dir {self._directory}" if self._directory else f"--spool {self._folder}"
        say(f"{why}; {what} is kept in {self._folder}, send it with: counterfoil push {where}")

    def _spool(self, events: Sequence[bytes]) -> None:
        from pathlib import Path  # noqa: PLC0415  see the class

        from counterfoil.client.spool import SpoolWriter  # noqa: PLC0415  the same
        from counterfoil.client.step import machine_id  # noqa: PLC0415  the same
        from counterfoil.clock import SystemClock  # noqa: PLC0415  the same

        if self._writer is None:
            self._writer = SpoolWriter(
                Path(self._folder), producer=machine_id(), boot=self._boot,
                project=self._project, via="cli", clock=SystemClock(),
            )  # fmt: skip
        for event in events:
            self._writer.append(event)

    def _close(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if self._writer.dropped:
            say(
                f"{self._writer.dropped} records are lost: {self._writer.failure} in {self._folder}"
            )


def say(text: str) -> None:
    """Say one line on stderr, with what could disturb a terminal made visible."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    try:  # noqa: SIM105  contextlib costs 4 ms
        sys.stderr.write(f"counterfoil: {shown}\n")
    except (OSError, ValueError):
        pass  # nobody listens any more; the exit code is the command's all the same


Server = tuple[str, str, str]  # url, token, SHA-256 of its certificate or ""
Sent = tuple[str, Mapping[str, str], bytes, str]  # path, query, body, content type
Answered = tuple[int | None, str, bytes]


def _within(limit_s: float, server: Server, sent: Sent) -> Answered:
    """Make one POST, for `limit_s` at most whatever the network does.

    Returns:
        The status, None without an answer; why it is no 201, "" if it is one; the answer.
    """
    import threading  # noqa: PLC0415  see the module

    result: list[Answered] = []
    # A thread that is left behind: looking up a name cannot be told to hurry.
    thread = threading.Thread(
        target=lambda: result.append(_try(limit_s, server, sent)),
        name="counterfoil-delivery",
        daemon=True,
    )
    thread.start()
    # The answer is waited for anyway: what reads it is loaded meanwhile.
    import counterfoil.client.receipts  # noqa: F401, PLC0415  see the module

    thread.join(limit_s)
    return result[0] if result else (None, f"no answer from {server[0]} within {limit_s:g} s", b"")


def _try(limit_s: float, server: Server, sent: Sent) -> Answered:
    import json  # noqa: PLC0415  see the module

    from counterfoil.client.post import post  # noqa: PLC0415  the same

    url, token, certificate = server
    path, query, body, content_type = sent
    try:
        status, answer = post(
            url, path, query, body, content_type=content_type, token=token, timeout_s=limit_s,
            certificate=certificate,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return None, f"no answer from {url}: {error}", b""
    if status == 201:
        return status, "", answer
    try:
        return status, f"{url} refused it: {json.loads(answer)['detail']}", answer
    except (ValueError, LookupError, TypeError, RecursionError):
        return status, f"{url} answered {status}", answer


def spool_folder(directory: str) -> str:
    """Return DIR/spool of a ledger, else `.counterfoil/spool` of the project we stand in."""
    if directory and os.path.exists(os.path.join(directory, "ledger.db")):  # noqa: PTH110, PTH118
        return os.path.join(directory, "spool")  # noqa: PTH118  pathlib costs 5 ms
    here = os.getcwd()  # noqa: PTH109  the same
    folder = here
    while True:
        for mark in (".counterfoil", ".git"):
            if os.path.exists(os.path.join(folder, mark)):  # noqa: PTH110, PTH118  the same
                return os.path.join(folder, ".counterfoil", "spool")  # noqa: PTH118  the same
        above = os.path.dirname(folder)  # noqa: PTH120  the same
        if above == folder:
            return os.path.join(here, ".counterfoil", "spool")  # noqa: PTH118  the same
        folder = above
