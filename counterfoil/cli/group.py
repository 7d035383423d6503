"""The verbs as click knows them: one group that imports a verb's module when the verb is called."""

import importlib
import sys

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
        try:
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


def main(words: list[str]) -> None:
    """Run one command line and exit with its documented code."""
    as_json = "--json" in words
    try:
        code = group.main(args=words, prog_name="counterfoil", standalone_mode=False)
    except CounterfoilError as error:
        if "--debug" in words:
            raise
        sys.exit(output.fail(error, as_json=as_json))
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        sys.exit(output.fail_usage(error, as_json=as_json))
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
