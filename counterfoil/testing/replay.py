"""Tell what happened in one history: `python -m counterfoil.testing.replay SEED`.

Every system call of every process stands in a line of its own, with the CRC-32 of what was
written; faults are marked by two stars.  The last line is what broke, or that nothing did.
"""

import sys

from counterfoil.testing.evidence import Violation
from counterfoil.testing.history import History


def main(words: list[str]) -> int:
    """Replay the seed that is named; return 1 if it breaks a promise."""
    if len(words) != 1 or not words[0].isdecimal():
        sys.stderr.write("usage: python -m counterfoil.testing.replay SEED\n")
        return 2
    history = History(int(words[0]))
    try:
        outcome = history.run()
    except Violation as violation:
        sys.stdout.write(f"{history.trace.text()}{violation}\n")
        return 1
    sys.stdout.write(f"{history.trace.text()}nothing broke: {outcome}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
