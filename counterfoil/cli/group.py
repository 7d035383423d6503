"""The verbs as click knows them: one group that imports a verb's module when the verb is called."""

import importlib
import io
import os
import sys
from collections.abc import Sequence

import click

from counterfoil import __version__
from counterfoil.cli import VERBS, output
from counterfoil.errors import CounterfoilError


class _LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        from counterfoil.garbage import not_collected  # noqa: PLC0415  help needs click alone

        try:
            with not_collected():
                module = importlib.import_module(f"counterfoil.cli.{VERBS[cmd_name][0]}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("counterfoil"):
                raise
            raise click.UsageError(
                f"`{cmd_name}` needs the server: pip install 'counterfoil[server]'"
            ) from error
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="counterfoil")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def group(*, debug: bool) -> None:
    """Who did what in QA and release, and proof that nobody rewrote it."""
    del debug  # read by `main`, which sees the errors


# Verbs that record nothing: a request they cannot make is a mistake in their words.
READING = frozenset({"trace", "receipt", "verify", "search", "prove", "tail", "fsck"})

# As a shell names the end of a program whose reader went away: 128 + SIGPIPE.
READER_GONE = 141


def main(words: list[str]) -> None:
    """Run one command line and exit with its documented code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal has no letters for is spelt: printing must not fail what was recorded.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough.  The interpreter flushes once more at its end: let it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = READER_GONE
    sys.exit(code)


def _run(words: list[str]) -> int:
    as_json = "--json" in words
    try:
        _check_utf8(words)
        # Not `group.main`: it ends with 1, which here means "no", when its reader went away.
        with group.make_context("counterfoil", list(words)) as context:
            code = group.invoke(context)
    except CounterfoilError as error:
        if "--debug" in words:
            raise
        verb = next((word for word in words if not word.startswith("-")), "")
        return output.fail(error, as_json=as_json, reading=verb in READING)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        return output.show_help(error)
    except click.ClickException as error:
        return output.fail_usage(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return 130
    return code if isinstance(code, int) else 0


def _check_utf8(words: Sequence[str]) -> None:
    """Refuse words that are no text; a file may have any name."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            if not os.path.lexists(word):
                raise click.UsageError(f"the word {word[:80]!a} is not UTF-8") from None
