"""A group of verbs by noun, each in a module that is imported when one of its verbs is called."""

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click

NEEDS_SERVER: Final = "needs the server: pip install 'counterfoil[server]'"


class Nouns(click.Group):
    """A group with commands of its own and nouns in other modules.

    Args:
        nouns: name -> (module below `counterfoil.cli` that has a command of that name, one line
            of help).
    """

    def __init__(
        self,
        *,
        nouns: Mapping[str, tuple[str, str]],
        **settings: Any,  # noqa: ANN401  click's own keywords
    ) -> None:
        super().__init__(**settings)
        self._nouns = nouns

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self._nouns})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; a noun's module is imported here."""
        if cmd_name not in self._nouns:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"counterfoil.cli.{self._nouns[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of all commands; no noun is imported for that."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self._nouns:
                rows.append((name, self._nouns[name][1]))
            elif (command := super().get_command(ctx, name)) is not None:
                rows.append((name, command.get_short_help_str(limit=formatter.width)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
