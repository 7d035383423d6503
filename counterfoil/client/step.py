"""A command as a recorded step: the two events it becomes.

They are CDEvents task runs: anybody who reads those sees name, outcome and times; what only we
tell (command, exit code, digests) is in `customData`, which is sealed.  Files are named twice: by
path in `customData`, and as `artifact:` refs, so that what one step made and another took in is
one thing in the trace.

Everything is cut to fit an event: a command that could not be recorded would be worse than one
recorded in part, and what is left out is counted.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from counterfoil.client.redact import Redactor

STARTED = "dev.cdevents.taskrun.started.0.3.0"
FINISHED = "dev.cdevents.taskrun.finished.0.3.0"
SOURCE = "urn:counterfoil:run"
PARENT_VARIABLE = "COUNTERFOIL_PARENT_RUN"
FILES_MAX = 64

_CDEVENTS_VERSION = "0.5.1"
_COMMAND_BYTES = 12_288
_VARIABLES_BYTES = 20_480
_FILES_BYTES = 10_240
_TEXT_MAX = 2_000
TRIGGERED_BY = "triggered-by"

# What the environment says becomes a ref only in a form that cannot be refused later.
_RUN = re.compile(r"run:[!-~]{0,299}[!-.0-~]")
_COMMIT = re.compile(r"commit:[A-Za-z0-9][\w.-]*(?:/[\w.-]+)+@[0-9a-f]{40,64}", re.ASCII)
_ACTOR = re.compile(r"actor:[A-Za-z0-9.-]+:[\w.\[\]-]{1,100}", re.ASCII)
_CHUNK_BYTES = 1 << 20


class Step:
    """What is known of a step before it begins.

    Attributes:
        boot: 16 hexadecimal digits, fresh for every step; its `run:` ref is made of it.
        name: what people call it.
        words: the command line, secrets and all; it leaves this process redacted only.
        variables: the environment it ran with, the same.
        refs: (ref, role) pairs that it names.
        inputs: what `digest_files` said of the files it takes in.
        started: when, RFC 3339.
        account: (authtype, authid) of whoever ran it.
    """

    def __init__(
        self,
        *,
        boot: str,
        name: str,
        words: Sequence[str],
        variables: Mapping[str, str],
        refs: Sequence[tuple[str, str]],
        inputs: Sequence[dict[str, Any]],
        started: str,
    ) -> None:
        self.boot = boot
        self.producer = machine_id()
        self.run = run_of(boot)
        self.name = clean(name)[:100] or "step"
        self.words = words
        self.variables = variables
        said = any(ref.startswith("commit:") for ref, _ in refs)
        around = _around(variables)
        self.refs = [*refs, *(one for one in around if not (said and one[0].startswith("commit:")))]
        self.inputs = inputs
        self.started = started
        self.account = account_of(variables)

    def start_event(self, redactor: Redactor) -> bytes:
        """Return the event that says that it began, as canonical JSON."""
        named = ([name, redactor.digest(value)] for name, value in sorted(self.variables.items()))
        variables, left_out = _fit(
            ({"name": clean(name), "digest": digest} for name, digest in named), _VARIABLES_BYTES
        )
        more = {"variables": variables, **_files("inputs", self.inputs)}
        if left_out:
            more["variables_left_out"] = left_out
        return self._event(STARTED, 0, self.started, {}, {**self._command(redactor), **more}, [])

    def finish_event(
        self,
        redactor: Redactor,
        *,
        finished: str,
        duration_ms: int,
        code: int,
        signal: str | None,
        failure: str | None,
        outputs: Sequence[dict[str, Any]],
        reports: Sequence[str] = (),
    ) -> bytes:
        """Return the event that says how it ended, as canonical JSON.

        Args:
            redactor: as for `start_event`.
            finished: when, RFC 3339.
            duration_ms: by a clock that does not step.
            code: the exit code a shell would have.
            signal: the name of the signal it died by.
            failure: why it could not be started.
            outputs: what `digest_files` says of the files it made.
            reports: `run:` refs of test reports it wrote.
        """
        outcome, why = _outcome(code, signal, failure)
        content = {"outcome": outcome, **({"errors": why} if why else {})}
        more = {
            "exit_code": code,
            "duration_ms": duration_ms,
            **({"signal": signal} if signal else {}),
            **_files("outputs", outputs),
        }
        refs = [*_artifacts(outputs, "output"), *((run, "contains") for run in reports)]
        return self._event(
            FINISHED, 1, finished, content, {**self._command(redactor), **more}, refs
        )

    def _command(self, redactor: Redactor) -> dict[str, Any]:
        words = (clean(word)[:_TEXT_MAX] for word in redactor.words(self.words))
        kept, left_out = _fit(words, _COMMAND_BYTES)
        return {"command": kept} | ({"command_left_out": left_out} if left_out else {})

    def _event(
        self,
        kind: str,
        seq: int,
        time: str,
        content: dict[str, Any],
        custom: dict[str, Any],
        refs: Sequence[tuple[str, str]],
    ) -> bytes:
        event_id = f"{self.boot}/{seq}"
        named = dict.fromkeys([*self.refs, *_artifacts(self.inputs, "input"), *refs])
        data: dict[str, Any] = {
            "context": {
                "specversion": _CDEVENTS_VERSION,
                "id": event_id,
                "source": SOURCE,
                "type": kind,
                "timestamp": time,
            },
            "subject": {
                "id": self.run.removeprefix("run:"),
                "source": SOURCE,
                "content": {"taskName": self.name, **content},
            },
            "customData": custom,
            "refs": [{"ref": ref, "role": role} for ref, role in named],
        }
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "type": kind,
            "time": time,
            "authtype": self.account[0],
            "authid": self.account[1],
            "subject": self.run,
            "producer": self.producer,
            "boot": self.boot,
            "seq": seq,
            "data": data,
        }
        # RFC 8785 for what is in here: whole numbers, ASCII member names, no lone surrogates.
        return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def run_of(boot: str) -> str:
    """Return the `run:` ref of a step."""
    return f"run:step/{boot}"


def digest_files(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return name, digest and size of files, or what keeps them from being read."""
    return [{"name": clean(path)[:300], **_digest(path)} for path in paths[:FILES_MAX]]


def clean(text: str) -> str:
    """Return text of the operating system as text that JSON can carry."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def machine_id() -> str:
    """Return a short name of this machine that tells nothing about it."""
    return "cli-" + hashlib.sha256(_nodename().encode()).hexdigest()[:8]


def _nodename() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket  # noqa: PLC0415  3 ms that POSIX does not need

    return socket.gethostname()


def account_of(variables: Mapping[str, str]) -> tuple[str, str]:
    """Return (authtype, authid) of whoever runs things here, as far as the environment tells.

    It is a claim: an environment can say anything.  In CI it is the workflow; who set that off is
    named beside it.
    """
    if variables.get("GITHUB_ACTIONS") == "true" and variables.get("GITHUB_REPOSITORY"):
        workflow = variables.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
        whole = f"{_github_host(variables)}:{workflow or variables['GITHUB_REPOSITORY']}"
        return "service_account", clean(whole)[:400]
    if variables.get("GITLAB_CI") and (project := variables.get("CI_PROJECT_PATH")):
        host = variables.get("CI_SERVER_HOST", "gitlab.com")
        return "service_account", clean(f"{host}:{project}")[:400]
    return "user", f"local:{_user()}"


def _github_host(variables: Mapping[str, str]) -> str:
    server = variables.get("GITHUB_SERVER_URL", "")
    return server.partition("://")[2].partition("/")[0] or "github.com"


def _user() -> str:
    import getpass  # noqa: PLC0415  not needed in CI

    try:
        return clean(getpass.getuser())[:150]
    except (OSError, KeyError, ImportError):
        from counterfoil.ids import user_number  # noqa: PLC0415  few users have no name

        return user_number()


def _around(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the run this step belongs to and the commit it ran on, as the environment tells."""
    found: list[tuple[str, str]] = []
    parent, commit, actor = variables.get(PARENT_VARIABLE, ""), "", ""
    if variables.get("GITHUB_ACTIONS") == "true":
        repository = variables.get("GITHUB_REPOSITORY", "")
        parent = parent or f"run:{repository}/{variables.get('GITHUB_RUN_ID', '')}"
        commit = f"commit:{repository}@{variables.get('GITHUB_SHA', '')}"
        actor = f"actor:{_github_host(variables)}:{variables.get('GITHUB_ACTOR', '')}"
    elif variables.get("GITLAB_CI"):
        host, project = variables.get("CI_SERVER_HOST", ""), variables.get("CI_PROJECT_PATH", "")
        parent = parent or f"run:{project}/{variables.get('CI_PIPELINE_ID', '')}"
        commit = f"commit:{host}/{project}@{variables.get('CI_COMMIT_SHA', '')}"
        actor = f"actor:{host}:{variables.get('GITLAB_USER_LOGIN', '')}"
    if _COMMIT.fullmatch(commit):
        found.append((commit, "input"))
    if _RUN.fullmatch(parent):
        found.append((parent, "part-of"))
    if _ACTOR.fullmatch(actor):
        found.append((actor, TRIGGERED_BY))
    return found


def _outcome(code: int, signal: str | None, failure: str | None) -> tuple[str, str | None]:
    if failure is not None:
        return "error", f"could not be started: {failure}"
    if signal is not None:
        is_asked = signal in {"SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"}
        return ("cancel" if is_asked else "error"), f"ended by {signal}"
    return ("success", None) if code == 0 else ("failure", f"exit code {code}")


def _digest(path: str) -> dict[str, Any]:
    found = hashlib.sha256()
    size_bytes = 0
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  pathlib costs 5 ms
            while chunk := file.read(_CHUNK_BYTES):
                found.update(chunk)
                size_bytes += len(chunk)
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        return {"absent": True} if absent else {"unreadable": os.strerror(error.errno or 0)}
    return {"digest": f"sha256:{found.hexdigest()}", "size_bytes": size_bytes}


def _files(name: str, files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kept, left_out = _fit(files, _FILES_BYTES)
    return {name: kept} | ({f"{name}_left_out": left_out} if left_out else {})


def _artifacts(files: Sequence[dict[str, Any]], role: str) -> list[tuple[str, str]]:
    return [(f"artifact:{one['digest']}", role) for one in files if "digest" in one]


def _fit(items: Any, size_max: int) -> tuple[list[Any], int]:  # noqa: ANN401  any JSON
    """Return the first items that fit into so many bytes of JSON, and how many do not."""
    kept: list[Any] = []
    size_bytes = left_out = 0
    for item in items:
        size_bytes += len(json.dumps(item, ensure_ascii=False).encode()) + 1
        if size_bytes <= size_max:
            kept.append(item)
        else:
            left_out += 1
    return kept, left_out
