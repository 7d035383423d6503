"""`run` in front of real commands: what it must not change."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.stepping import BARE, FOIL, kept, run, start, wait_for


def test_output_goes_through_byte_for_byte(place: Path) -> None:
    """Nothing stands between the command and where its output goes."""
    program = (
        "import os,sys; os.write(1, bytes(range(256)) * 40000); os.write(2, b'\\xff\\x00e\\n')"
    )
    code, out, err = run(place, "--", sys.executable, "-c", program)

    assert code == 0
    assert out == bytes(range(256)) * 40_000
    assert err.startswith(b"\xff\x00e\n")
    assert err.count(b"\n") == 2, "the command's own line, and ours about the spool"


def test_input_goes_through_byte_for_byte(place: Path) -> None:
    given = bytes(range(256)) * 1_000
    code, out, _ = run(place, "--", "cat", given=given)

    assert (code, out) == (0, given)


@pytest.mark.parametrize("code", [0, 1, 2, 77, 125, 255])
def test_the_exit_code_is_the_command_s(place: Path, code: int) -> None:
    assert run(place, "--", "sh", "-c", f"exit {code}")[0] == code


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        pytest.param(
            ["/nowhere/program"], 127, b"command not found", id="a path that is not there"
        ),
        pytest.param(["no-such-program-here"], 127, b"command not found", id="no such command"),
        pytest.param(["/"], 126, b"denied", id="a directory"),
        pytest.param(["./plain"], 126, b"denied", id="a file that is no program"),
    ],
)
def test_what_cannot_be_started_has_a_shell_s_code(
    place: Path, words: Sequence[str], code: int, why: bytes
) -> None:
    (place / "plain").write_text("hello")
    result = run(place, "--", *words)

    assert result[0] == code
    assert why in result[2].lower()
    finished = kept(place)[-1]["data"]
    assert finished["subject"]["content"]["outcome"] == "error"
    assert finished["customData"]["exit_code"] == code


def test_a_script_without_an_interpreter_line_runs_in_sh(place: Path) -> None:
    """A bare shell takes it; so do we."""
    script = place / "script"
    script.write_text('echo "$1"; exit 9\n')
    script.chmod(0o755)

    assert run(place, "--", "./script", "hi")[:2] == (9, b"hi\n")
    assert run(place, "--", "script", "hi", environment={"PATH": str(place)})[:2] == (9, b"hi\n")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM", "SIGPIPE"])
def test_a_child_that_dies_by_a_signal_gives_128_and_its_number(place: Path, name: str) -> None:
    number = signal.Signals[name]
    code, _, _ = run(place, "--", "sh", "-c", f"ulimit -c 0; kill -{int(number)} $$")

    assert code == 128 + number
    custom = kept(place)[-1]["data"]["customData"]
    assert (custom["exit_code"], custom["signal"]) == (128 + number, name)


TRAPS = 'for s in INT TERM HUP USR1; do trap "echo got $s" $s; done; echo ready; '
WAITS = "n=0; while [ $n -lt 400 ] && [ ! -e done ]; do sleep 0.02; n=$((n+1)); done; exit 5"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_sent_to_us_reaches_the_command_once(place: Path, name: str) -> None:
    started = start(place, "--", "sh", "-c", TRAPS + WAITS)
    assert started.stdout
    assert started.stdout.readline() == b"ready\n"
    started.send_signal(signal.Signals[name])
    assert started.stdout.readline() == f"got {name[3:]}\n".encode()
    (place / "done").touch()
    out, _ = started.communicate(timeout=30)

    assert (started.returncode, out) == (5, b"")


def test_a_signal_that_ends_the_command_is_on_record_as_a_cancel(place: Path) -> None:
    started = start(place, "--", "sh", "-c", "echo ready; exec sleep 60")
    assert started.stdout
    started.stdout.readline()
    started.terminate()
    started.communicate(timeout=30)

    assert started.returncode == 128 + signal.SIGTERM
    assert kept(place)[-1]["data"]["subject"]["content"] == {
        "errors": "ended by SIGTERM", "outcome": "cancel", "taskName": "sh",
    }  # fmt: skip


def at_a_terminal(place: Path, *words: str) -> tuple[int, int]:
    """Start words as the foreground job of a terminal of their own; return (pid, terminal)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execve(words[0], words, BARE)  # noqa: S606  no shell is meant
    return pid, terminal


def read_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 4096)
    return seen


def test_ctrl_c_reaches_the_command_once_and_it_may_go_on(place: Path) -> None:
    """The terminal sends it to the whole group: passed on, it would arrive twice."""
    counts = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "print('ready', flush=True)\n"
        "while not os.path.exists('done'):\n"
        "    if signal.sigtimedwait([signal.SIGINT], 0.02): print('got', flush=True)\n"
        "sys.exit(5)\n"
    )
    pid, terminal = at_a_terminal(place, *FOIL, "run", "--", sys.executable, "-c", counts)
    read_until(terminal, b"ready")
    # We are held until the command has had it: two that come at once would count as one.
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    os.write(terminal, b"\x03")
    seen = read_until(terminal, b"got")
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    (place / "done").touch()
    seen += read_until(terminal, b"counterfoil: ")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert seen.count(b"got") == 1
    assert os.waitstatus_to_exitcode(status) == 5


def test_ctrl_z_stops_the_job_and_fg_goes_on_with_it(place: Path) -> None:
    """A wrapper that does not stop leaves the terminal to nobody."""
    marks = "echo ready; while [ ! -e done ]; do echo tick >> ticks; sleep 0.05; done; exit 6"
    script = 'set -m; "$@" & fg %1; echo "stopped $?"; read go; fg %1; echo "ended $?"'
    pid, terminal = at_a_terminal(
        place, shutil.which("bash") or "/bin/bash", "--norc", "-c", script, "bash",
        *FOIL, "run", "--", "sh", "-c", marks,
    )  # fmt: skip
    read_until(terminal, b"ready")
    wait_for((place / "ticks").exists, "it does not begin")
    os.write(terminal, b"\x1a")
    read_until(terminal, f"stopped {128 + signal.SIGTSTP}".encode())
    before = (place / "ticks").stat().st_size
    time.sleep(0.3)
    assert (place / "ticks").stat().st_size == before, "the command goes on"
    os.write(terminal, b"go\n")
    wait_for(lambda: (place / "ticks").stat().st_size > before, "it does not go on")
    (place / "done").touch()
    read_until(terminal, b"ended 6")
    os.waitpid(pid, 0)
    os.close(terminal)


def test_a_child_that_is_stopped_alone_stops_us(place: Path) -> None:
    """Whoever waits for the command must see that nothing goes on."""
    started = start(place, "--", "sh", "-c", "echo $$; exec sleep 0.4")
    assert started.stdout
    child = int(started.stdout.readline())
    os.kill(child, signal.SIGSTOP)
    try:
        wait_for(lambda: os.waitpid(started.pid, os.WUNTRACED | os.WNOHANG)[0], "we go on")
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        raise
    started.send_signal(signal.SIGCONT)
    started.communicate(timeout=30)

    assert started.returncode == 0


def test_ignored_signals_stay_ignored(place: Path) -> None:
    """As under nohup, or for a job a script put into the background."""
    words = [*FOIL, "run", "--", "sh", "-c", "kill -HUP $$; echo alive"]
    done = subprocess.run(
        ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *words],
        cwd=place, env=BARE, capture_output=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, b"alive\n")


def test_the_command_s_environment_is_ours_and_the_run_it_is_part_of(place: Path) -> None:
    """Python sets LC_CTYPE for itself where the locale is C; the command must not see it."""
    environment = {"LC_ALL": "", "LANG": "C", "ODD": "a=b\udcff"}
    code, out, _ = run(place, "--", "env", "-0", environment=environment)
    seen = dict(one.split(b"=", 1) for one in out.split(b"\0") if one)

    assert code == 0
    assert seen.pop(b"COUNTERFOIL_PARENT_RUN") == kept(place)[0]["subject"].encode()
    assert seen == {os.fsencode(k): os.fsencode(v) for k, v in {**BARE, **environment}.items()}
