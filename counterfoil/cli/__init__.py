"""The command line: `counterfoil`, or `foil` for short.

One module per family of verbs, imported when its verb is called, so that `counterfoil --help`
costs no more than click itself and the core install runs every verb that needs no server.
`run` stands in front of other people's commands: it is dispatched before even click is imported.
"""

import sys
from collections.abc import Sequence

# verb -> (module, one line of help).  The order is the order of `--help`.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("serve", "Fill a ledger with real data and serve it."),
    "init": ("serve", "Create a ledger directory."),
    "serve": ("serve", "Serve a ledger: pages, API, webhooks."),
    "record": ("record", "Record one event and print its receipt."),
    "report": ("record", "Record test reports, a receipt per case."),
    "run": ("run_verb", "Run a command as a recorded step."),
    "push": ("push", "Send what a spool still holds."),
    "trace": ("trace", "Show the chain of a thing, with its gaps."),
    "search": ("search", "Find entries by who, what, when and how."),
    "receipt": ("trace", "Print the receipt of an entry or event."),
    "tail": ("tail", "Print entries as they are recorded."),
    "prove": ("prove", "Write one HTML file that proves itself offline."),
    "verify": ("verify", "Check a ledger, log, archive, receipt or proof file; needs no server."),
    "fsck": ("fsck", "Check a ledger directory stage by stage, and mend what can be derived."),
    "erase": ("erase", "Erase a person, or parts of an entry, for good."),
    "witness": ("witness", "Cosign other logs: serve a witness, or set one up."),
    "hold": ("hold", "Keep evidence whatever the rules say, or end that."),
    "confirm": ("confirm", "Agree to what another person asked for, or list what waits."),
    "admin": ("admin", "Run a ledger: people, roles, tokens, webhook sources, rebuilding."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its documented code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        from counterfoil.cli import run  # noqa: PLC0415  this verb alone

        if (code := run.main(words[1:])) is not None:
            sys.exit(code)
    from counterfoil.cli import group  # noqa: PLC0415  every other verb, and help

    group.main(words)
