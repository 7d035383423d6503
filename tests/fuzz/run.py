"""Fuzzing families of decoders, guided by what their input reaches (atheris, libFuzzer).

    python -m tests.fuzz.run notes --seconds 60
    python -m tests.fuzz.run all --seconds 60 --jobs 2
    python -m tests.fuzz.run all --together --runs 2000 --seed 1
    python -m tests.fuzz.run notes --replay broke-0123

Exit 0: every input became a value or a named error.  Otherwise the one that did not is left in a
file `broke-...` (`timeout-...`, `oom-...`) of the folder it was called in.

The first byte of an input chooses the decoder of the family, the rest is what that one reads.
The fuzzer ends its process by itself, so it runs in one of its own, over a folder of samples that
is removed here.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FAMILIES = ("events", "notes", "proofs", "tiles", "junit", "webhooks", "tokens", "texts", "spools")
TIMEOUT_S = 10
RSS_LIMIT_MIB = 1_024
INPUT_BYTES_MAX = 65_536


def main() -> int:
    """Run the words of the command line."""
    words = argparse.ArgumentParser(prog="tests.fuzz.run")
    words.add_argument("family", choices=(*FAMILIES, "all"))
    words.add_argument("--seconds", type=int, default=60, help="for each process")
    words.add_argument("--runs", type=int, default=-1, help="stop after so many inputs")
    words.add_argument("--seed", type=int, default=0, help="0: another one in every run")
    words.add_argument("--jobs", type=int, default=1, help="processes at a time, with `all`")
    words.add_argument("--together", action="store_true", help="`all` in one process")
    words.add_argument("--replay", type=Path, help="give one file to the decoders and end")
    words.add_argument("--samples", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    families = FAMILIES if given.family == "all" else (given.family,)
    if given.samples is not None:
        _fuzz(families, given.samples, given.seconds, given.runs, given.seed)
        return 0
    if given.replay is not None:
        _replay(families, given.replay)
        return 0
    groups = [given.family] if given.together else list(families)
    counts = [f"--seconds={given.seconds}", f"--runs={given.runs}", f"--seed={given.seed}"]
    with ThreadPoolExecutor(given.jobs) as pool:
        codes = list(pool.map(lambda group: _in_process(group, counts), groups))
    for group, code in zip(groups, codes, strict=True):
        print(f"{group}: {'nothing found' if code == 0 else f'ended with {code}'}")  # noqa: T201  a program that says what it found
    return int(any(codes))


def _in_process(group: str, counts: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as samples:
        command = [sys.executable, "-m", "tests.fuzz.run", group, "--samples", samples, *counts]
        return subprocess.run(command, check=False).returncode


def _replay(families: Sequence[str], path: Path) -> None:
    from tests.fuzz.decoder import meet
    from tests.fuzz.families import decoders_of

    data, decoders = path.read_bytes(), decoders_of(families)
    meet(decoders[data[0] % len(decoders)], data[1:])


def _fuzz(families: Sequence[str], samples: Path, seconds: int, runs: int, seed: int) -> None:
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["counterfoil"]):
        from tests.fuzz.decoder import SEED_BYTES_MAX, meet
        from tests.fuzz.families import decoders_of

    decoders = decoders_of(families)
    for number, decoder in enumerate(decoders):
        for at, data in enumerate(decoder.seeds):
            sample = samples / f"{number}-{at}"
            sample.write_bytes(bytes([number]) + data[:SEED_BYTES_MAX])

    def try_one(data: bytes) -> None:
        if data:
            try:
                meet(decoders[data[0] % len(decoders)], data[1:])
            except BaseException:
                Path(f"broke-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
                raise

    words = (
        f"-max_total_time={seconds}", f"-runs={runs}", f"-seed={seed}", f"-timeout={TIMEOUT_S}",
        f"-rss_limit_mb={RSS_LIMIT_MIB}", f"-max_len={INPUT_BYTES_MAX}", "-print_final_stats=1",
    )  # fmt: skip
    atheris.Setup([sys.argv[0], *words, str(samples)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
