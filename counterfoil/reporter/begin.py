"""How recording begins: where to, by whom, on what; in the main process and in each worker.

Whatever goes wrong here, the tests run as if nothing had been asked for, and the last line says
what was not recorded; with `strict` they do not run at all.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from counterfoil.client.redact import Redactor, read_key
from counterfoil.client.spool import SpoolWriter
from counterfoil.clock import SystemClock, format_time
from counterfoil.errors import CounterfoilError
from counterfoil.events.canonical import JSON
from counterfoil.events.refs import is_ref, safe_id
from counterfoil.ids import SystemRandomness, short_id
from counterfoil.reporter.destination import find_destination, prepare
from counterfoil.reporter.events import SOURCE, Run, slim
from counterfoil.reporter.plugin import Controller, Recorder, Worker
from counterfoil.reporter.surroundings import (
    Surroundings,
    environment_facts,
    packages,
    read_surroundings,
)
from counterfoil.reporter.text import Cleaner

PLUGIN: Final = "counterfoil-reporter"
HANDED: Final = "counterfoil"


def begin(config: pytest.Config, *, strict: bool) -> None:
    """Register what records this process's part of the run.

    Raises:
        pytest.UsageError: strict, and the run could not be recorded; or a pattern in
            `counterfoil_redact` is no regular expression.
    """
    workerinput = getattr(config, "workerinput", None)
    try:
        if workerinput is not None:
            if HANDED in workerinput:
                _begin_worker(config, workerinput[HANDED], workerinput["workerid"])
        else:
            _begin_main(config, strict=strict)
    except re.error as error:
        raise pytest.UsageError(
            f"counterfoil_redact: {error.pattern!r} is no regular expression: {error}"
        ) from error
    except (CounterfoilError, OSError) as error:
        said = getattr(error, "message", str(error))
        if strict:
            raise pytest.UsageError(f"counterfoil: this run cannot be recorded: {said}") from error
        config.pluginmanager.register(_Unrecorded(said), PLUGIN)


class _Unrecorded:
    """Says at the end that nothing was recorded, and why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:  # noqa: ANN401  pytest's
        terminalreporter.write_line(f"counterfoil: this run is not recorded: {self._reason}")


def _begin_main(config: pytest.Config, *, strict: bool) -> None:
    destination = find_destination(os.environ, Path(config.invocation_params.dir))
    if strict and not destination.url and destination.directory is None:
        raise pytest.UsageError(
            "counterfoil: strict needs somebody to answer for the records: set COUNTERFOIL_URL,"
            " or COUNTERFOIL_DIR of a ledger that is served"
        )
    prepare(destination)
    around = read_surroundings(os.environ, config.rootpath)
    boot = short_id(SystemRandomness())
    handed: dict[str, Any] = {
        "folder": str(destination.folder),
        "project": destination.project,
        "origin": destination.origin,
        "around": around.to_plain(),
        "boot": boot,
        "run": _run_ref(around, boot),
        "source": os.environ.get("COUNTERFOIL_SOURCE") or SOURCE,
        "environment": safe_id(os.environ.get("COUNTERFOIL_ENVIRONMENT", ""))
        if os.environ.get("COUNTERFOIL_ENVIRONMENT")
        else None,
        "name": safe_id(os.environ.get("COUNTERFOIL_NAME") or config.rootpath.name or "tests"),
    }
    recorder = _recorder(config, handed, boot)
    controller = Controller(
        recorder,
        destination=destination,
        prefix=f"{around.producer}-{boot}",
        handed=handed,
        opening=_opening(config, around, recorder.cleaner),
        refs=_refs(around),
        strict=strict,
    )
    config.pluginmanager.register(controller, PLUGIN)


def _begin_worker(config: pytest.Config, handed: Mapping[str, Any], worker: str) -> None:
    recorder = _recorder(config, handed, f"{handed['boot']}-{worker}")
    config.pluginmanager.register(Worker(recorder), PLUGIN)


def _recorder(config: pytest.Config, handed: Mapping[str, Any], boot: str) -> Recorder:
    around = Surroundings(**handed["around"])
    folder = Path(handed["folder"])
    clock = SystemClock()
    cleaner = Cleaner(Redactor(read_key(str(folder))), config.getini("counterfoil_redact"))
    writer = SpoolWriter(
        folder, producer=around.producer, boot=boot, project=handed["project"], via="pytest",
        origin=handed["origin"], clock=clock, slim=slim,
    )  # fmt: skip
    run = Run(
        ref=handed["run"], source=handed["source"], producer=around.producer, boot=boot,
        authtype=around.authtype, authid=around.authid, name=handed["name"],
        commit=around.commit, environment=handed["environment"], clock=clock,
    )  # fmt: skip
    return Recorder(run, writer, cleaner)


def _run_ref(around: Surroundings, boot: str) -> str:
    """Return the ref of this run: one word of the environment's, else CI's name, else the day."""
    given = os.environ.get("COUNTERFOIL_RUN", "")
    if given:
        given = given if given.startswith("run:") else f"run:{given}"
        if is_ref(given):
            return given
    if around.run:
        return f"run:{safe_id(around.run, 300)}/pytest-{boot[:8]}"
    return f"run:pytest-{format_time(SystemClock().now())[:10]}-{boot[:8]}"


def _refs(around: Surroundings) -> list[tuple[str, str]]:
    refs: list[tuple[str, str]] = []
    parent = os.environ.get("COUNTERFOIL_PARENT_RUN", "") or around.parent
    if parent and parent.startswith("run:") and is_ref(parent):
        refs.append((parent, "part-of"))
    if around.triggered_by and is_ref(f"actor:{around.triggered_by}"):
        refs.append((f"actor:{around.triggered_by}", "triggered-by"))
    return refs


def _opening(config: pytest.Config, around: Surroundings, cleaner: Cleaner) -> dict[str, JSON]:
    """Return what the record of the start says beyond CDEvents."""
    found = [(one.metadata["Name"], one.version)
             for _, one in config.pluginmanager.list_plugin_distinfo()]  # fmt: skip
    selection = {
        name: cleaner.cut(str(value), 300)
        for name, value in (
            ("keyword", config.getoption("keyword", default="")),
            ("markers", config.getoption("markexpr", default="")),
            ("seed", config.getoption("randomly_seed", default="")),
        )
        if value
    }
    facts: dict[str, JSON] = {
        "environment": {
            **environment_facts(config.rootpath),
            "pytest": pytest.__version__,
            "plugins": packages(found),
        },
        "command": cleaner.cut(shlex.join(["pytest", *config.invocation_params.args]), 1_000),
    }
    if selection:
        facts["selection"] = {**selection}
    if around.git:
        facts["git"] = around.git
    if around.ci:
        facts["ci"] = around.ci
    return facts
