"""`run` as click knows it: its help, and its mistakes said in click's words.

The words of a plain step never come here: `counterfoil.cli` hands them to `run` before click is
imported.  Both read the same table of options.
"""

from collections.abc import Callable

import click

from counterfoil.cli.run import OPTIONS, run_step


@click.command(
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.argument("command", nargs=-1, required=True, metavar="CMD...", type=click.UNPROCESSED)
def run(command: tuple[str, ...], **given: tuple[str, ...] | str | None) -> int:
    """Run CMD as a recorded step: who, what, when, exit code, duration, signal, digests.

    Its streams, signals and exit code are what they would be without us: 128 + n after signal n,
    127 for no such command, 126 for one that cannot be executed.
    """
    options: dict[str, list[str]] = {}
    for name, value in given.items():
        if value:
            options[f"--{name}"] = [value] if isinstance(value, str) else list(value)
    return run_step(options, command)


def _add(name: str, metavar: str, text: str, *, multiple: bool) -> None:
    add: Callable[[click.Command], click.Command] = click.option(
        name, metavar=metavar, multiple=multiple, help=text
    )
    add(run)


for _name, (_metavar, _multiple, _text) in OPTIONS.items():
    _add(_name, _metavar, _text, multiple=_multiple)
