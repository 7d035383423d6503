"""`run`: any command as a recorded step.

It stands in front of other people's commands, so it imports next to nothing before they begin,
touches neither their streams nor their signals nor their exit code, and never waits long for a
server: what is not taken within 2 s stays in the spool, and one line on stderr says so.

A command that outlives `SLOW_S` has its beginning spooled at once: if this machine or we die in
the middle, that it began is on record, and `push` adds that its end is not.
"""

import os
import time
from collections.abc import Sequence

from counterfoil.cli.child import Held
from counterfoil.cli.recording import Options, Recording, say

PARENT_VARIABLE = "COUNTERFOIL_PARENT_RUN"
USAGE = 2

# option -> (what it is followed by, may be repeated, one line of help)
OPTIONS: dict[str, tuple[str, bool, str]] = {
    "--step": ("NAME", False, "What people call it; default: the name of the program."),
    "--input": ("FILE", True, "A file it takes in, by digest; repeatable."),
    "--output": ("FILE", True, "A file it makes, by digest; repeatable."),
    "--report": ("FILE", True, "A test report it writes, recorded too; repeatable."),
    "--commit": ("OWNER/REPO@HEX", False, "The commit it runs on."),
    "--environment": ("NAME", False, "Where it runs."),
    "--ref": ("[ROLE=]REF", True, "A thing it is about; repeatable."),
    "--url": ("URL", False, "A server's address; its token in COUNTERFOIL_TOKEN."),
    "--dir": ("DIR", False, "A ledger directory on this machine."),
    "--project": ("NAME", False, "The project's log; default: default."),
}  # fmt: skip


def main(words: Sequence[str]) -> int | None:
    """Run the step that `words` describe; None if they are no plain step: click explains those."""
    parsed = parse(words)
    if parsed is None:
        return None
    from counterfoil.errors import RequestError  # noqa: PLC0415  see the module

    try:
        return run_step(*parsed)
    except RequestError as error:
        say(f"{error.message} [{error.code}]")
        return USAGE


def parse(words: Sequence[str]) -> tuple[Options, list[str]] | None:
    """Split the words behind `run` into options and the command; None if that does not work."""
    options: Options = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name not in OPTIONS or not (equals or rest):
            return None
        options.setdefault(name, []).append(value if equals else rest.pop(0))
    return (options, rest) if rest and rest[0] else None


def run_step(options: Options, command: Sequence[str]) -> int:
    """Run a command as a recorded step and return its exit code.

    Raises:
        RequestError: `usage`: nothing was run.
    """
    from counterfoil.clock import SystemClock, format_time  # noqa: PLC0415  see the module

    refs = _refs(options)
    variables = _environment()
    clock = SystemClock()
    boot = os.urandom(8).hex()
    recording = Recording(options, command, variables, refs, boot)
    with _held() as held:
        recording.started = format_time(clock.now())
        began_ns = time.monotonic_ns()
        given = {**variables, PARENT_VARIABLE: recording.run}
        ended = held.run(command, given, recording.prepare, recording.begun)
        duration_ms = (time.monotonic_ns() - began_ns) // 1_000_000
        try:
            recording.ended(ended, format_time(clock.now()), duration_ms)
        except Exception as error:  # noqa: BLE001  whatever is wrong with us, the command ended so
            say(f"the step is not recorded: {error}")
    return ended.code


def _held() -> Held:
    if hasattr(os, "posix_spawnp"):
        return Held()
    from counterfoil.cli.child_plain import PlainlyHeld  # noqa: PLC0415  Windows

    return PlainlyHeld()


def _refs(options: Options) -> list[tuple[str, str]]:
    """Return the refs the options name, checked while nothing has been run."""
    commit, environment = options.get("--commit", []), options.get("--environment", [])
    named = options.get("--ref", [])
    if not (commit or environment or named):
        return []
    from counterfoil.errors import RequestError  # noqa: PLC0415  only where needed
    from counterfoil.events.refs import parse_ref, parse_role  # noqa: PLC0415  the same

    found = [(f"commit:{one.removeprefix('commit:')}", "input") for one in commit[-1:]]
    found += [(f"env:{one.removeprefix('env:')}", "environment") for one in environment[-1:]]
    for one in named:
        role, equals, ref = one.partition("=")
        found.append((ref, role) if equals and ":" not in role else (one, "about"))
    try:
        for ref, role in found:
            parse_ref(ref)
            parse_role(role)
    except RequestError as error:
        raise RequestError("usage", f"{error.message}; nothing was run") from error
    return found


def _environment() -> dict[str, str]:
    """Return the environment we were given.

    Python adds LC_CTYPE where the locale is C (PEP 538); the command must not see that.
    """
    variables = dict(os.environ)
    if variables.get("LC_CTYPE") == "C.UTF-8":
        try:
            with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  pathlib costs 5 ms
                given = b"\0" + file.read()
        except OSError:
            return variables
        if b"\0LC_CTYPE=" not in given:
            del variables["LC_CTYPE"]
    return variables
