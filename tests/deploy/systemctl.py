"""Stands in for systemctl where no systemd runs: starts what units say, the way they say it.

Of a unit and its drop-ins it takes what decides whether the server comes up: commands, type, user,
capabilities, umask, limits, environment file, outputs.  What only systemd can do, such as the
file systems and system calls a unit allows, tests/deploy/test_units.py holds against what the
server does.
"""

import grp
import os
import pwd
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

FOLDERS = [Path("/etc/systemd/system"), Path("/lib/systemd/system")]
RUN = Path("/run/stand-in")
JOURNAL = Path("/var/log/stand-in")
ENDS_S = 120.0
Unit = dict[str, list[str]]


def read(name: str) -> Unit:
    """Return what a unit says, drop-ins over it; an empty value takes back what was said."""
    path = next(folder / name for folder in FOLDERS if (folder / name).exists())
    said: Unit = defaultdict(list)
    for file in (path, *sorted((FOLDERS[0] / f"{name}.d").glob("*.conf"))):
        for line in file.read_text().splitlines():
            key, equals, value = line.partition("=")
            if not equals or line.startswith("#"):
                continue
            if value:
                said[key].append(value)
            else:
                said[key] = []
    return said


def last(unit: Unit, key: str, otherwise: str = "") -> str:
    """Return the value that counts of a key that is said once."""
    return unit[key][-1] if unit[key] else otherwise


def prepare(unit: Unit) -> None:
    """Make this process what the unit says, just before the command takes its place."""
    os.umask(int(last(unit, "UMask", "0022"), 8))
    if files := last(unit, "LimitNOFILE"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))


def words(unit: Unit, command: str) -> list[str]:
    """Return a command with what puts it under the unit's user."""
    given = shlex.split(command.lstrip("-"))
    if not (user := last(unit, "User")):
        return given
    ambient = last(unit, "AmbientCapabilities").lower().replace("cap_", "+")
    capabilities = [f"--{kind}-caps={ambient}" for kind in ("inh", "ambient")] if ambient else []
    return ["setpriv", f"--reuid={user}", f"--regid={last(unit, 'Group')}", "--init-groups",
            "--no-new-privs", *capabilities, "--", *given]  # fmt: skip


def environment(unit: Unit) -> dict[str, str]:
    """Return the environment: systemd's own, and what the unit adds; nothing of the caller's."""
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    for one in unit["EnvironmentFile"]:
        if Path(one.lstrip("-")).exists():
            for line in Path(one.lstrip("-")).read_text().split():
                name, _, value = line.partition("=")
                found[name] = value
    return found


def start(name: str) -> int:
    """Start a unit: a oneshot runs to its end, anything else goes on."""
    unit = read(name)
    if state := last(unit, "StateDirectory"):
        where = Path("/var/lib") / state
        where.mkdir(exist_ok=True)
        where.chmod(int(last(unit, "StateDirectoryMode", "0755"), 8))
        os.chown(where, pwd.getpwnam(last(unit, "User")).pw_uid,
                 grp.getgrnam(last(unit, "Group")).gr_gid)  # fmt: skip
    for command in unit["ExecStartPre"]:
        subprocess.run(words(unit, command), check=True, env=environment(unit))
    with (JOURNAL / name).open("ab") as journal:
        process = subprocess.Popen(
            words(unit, last(unit, "ExecStart")), env=environment(unit),
            stdin=subprocess.DEVNULL, stderr=journal, start_new_session=True,
            stdout=subprocess.DEVNULL if last(unit, "StandardOutput") == "null" else journal,
            preexec_fn=lambda: prepare(unit),  # noqa: PLW1509  one thread
        )  # fmt: skip
    kind = last(unit, "Type", "simple")
    if kind in {"oneshot", "forking"}:
        code = process.wait()
        pid = last(unit, "PIDFile")
        (RUN / name).write_text(Path(pid).read_text() if pid and not code else "")
        return code
    (RUN / name).write_text(str(process.pid))
    return 0


def main_pid(name: str) -> int:
    """Return the number of a unit's main process, 0 if it does not run."""
    try:
        pid = int((RUN / name).read_text() or "0")
        return pid if Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" else 0
    except (OSError, ValueError):
        return 0


def stop(name: str) -> int:
    """End a unit, and wait until it has ended."""
    pid = main_pid(name)
    if pid:
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + ENDS_S
    while main_pid(name):
        if time.monotonic() > end:
            return 1
        time.sleep(0.02)
    return 0


def main(arguments: list[str]) -> int:
    """Do one command of systemctl."""
    RUN.mkdir(exist_ok=True)
    JOURNAL.mkdir(exist_ok=True)
    verb, *rest = [word for word in arguments if not word.startswith("--")]
    names = [name if "." in name else f"{name}.service" for name in rest]
    now = "--now" in arguments
    for name in names:
        if name.endswith(".timer"):
            read(name)  # it has to be there; when it fires is systemd's business
        elif verb in {"start", "restart"} or (verb == "enable" and now):
            if (verb == "restart" and stop(name)) or (code := start(name)):
                return code
        elif verb == "stop" or (verb == "disable" and now):
            if stop(name):
                return 1
        elif verb == "reload":
            command = last(read(name), "ExecReload").replace("$MAINPID", str(main_pid(name)))
            subprocess.run(shlex.split(command), check=True)
        elif verb == "is-active":
            return 0 if main_pid(name) else 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
