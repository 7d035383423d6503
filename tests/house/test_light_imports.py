"""What a verb may load: `--help` next to nothing, and no verb of the core install the server.

An import is what people wait for before a verb does anything; `bench/startup.py` has the times.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOWHERE = "http://127.0.0.1:9"
PROBE = """
import json, sys
from counterfoil.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
SERVER_ROOMS = {
    "app", "demo", "ledger", "policy", "sources", "stores", "web",
}  # fmt: skip
CORE_DEPENDENCIES = {"click", "cryptography", "msgspec"}
# Brought along by those: cffi's part and OpenSSL's of cryptography; msgspec looks for the other.
BROUGHT_ALONG = {"_cffi_backend", "_openssl", "typing_extensions", "cffi"}


def loaded(tmp_path: Path, *words: str) -> set[str]:
    """Return the modules a command line has loaded by its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True,
        cwd=tmp_path, input="",
    )  # fmt: skip
    names: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(names)


def outside(modules: set[str]) -> set[str]:
    """Return the packages that are neither Python's own nor ours."""
    roots = {name.partition(".")[0] for name in modules}
    return roots - set(sys.stdlib_module_names) - {"counterfoil", "__main__"}


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("counterfoil.")}


def test_help_loads_click_and_nothing_else(tmp_path: Path) -> None:
    modules = loaded(tmp_path, "--help")

    assert outside(modules) == {"click"}
    assert rooms(modules) == {"cli", "errors"}
    assert not {"asyncio", "http", "ssl", "sqlite3"} & modules


CORE_VERBS = {
    "verify": ("verify", "nothing-here"),
    "record": ("record", "com.example.done", "--url", NOWHERE),
    "report": ("report", "nothing.xml", "--url", NOWHERE),
    "receipt": ("receipt", "0", "--url", NOWHERE),
    "trace": ("trace", "release:shop@1.4.2", "--url", NOWHERE),
    "search": ("search", "shop", "--url", NOWHERE),
    "prove": ("prove", "entry:0", "--url", NOWHERE, "-o", "proof.html"),
    "push": ("push", "--url", NOWHERE),
    "run": ("run", "--url", NOWHERE, "--", sys.executable, "-c", ""),
}


@pytest.mark.parametrize("words", CORE_VERBS.values(), ids=CORE_VERBS.keys())
def test_a_core_verb_loads_no_part_of_the_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A core install does not have it, and nobody should wait for it."""
    modules = loaded(tmp_path, *words)

    assert not rooms(modules) & SERVER_ROOMS
    assert outside(modules) <= CORE_DEPENDENCIES | BROUGHT_ALONG
    assert not any(name.startswith("rich") for name in modules)


@pytest.mark.parametrize("verb", sorted(CORE_VERBS.keys() - {"verify"}))
def test_a_verb_that_only_sends_loads_no_cryptography(tmp_path: Path, verb: str) -> None:
    """It is the heaviest thing a core install has, and only checking needs it."""
    assert "cryptography" not in outside(loaded(tmp_path, *CORE_VERBS[verb]))


def test_a_ledger_without_a_time_stamp_authority_loads_none_of_its_formats() -> None:
    """Whoever opens a ledger would wait for X.509 and ASN.1, which few settings ask for."""
    probe = "import json, sys, counterfoil.app.home; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    modules = set(json.loads(done.stdout))

    assert "counterfoil.app.outside" in modules
    assert not {"rfc3161_client", "cryptography.x509", "counterfoil.app.timestamps"} & modules


def test_the_plugin_costs_nothing_until_it_is_asked_for(tmp_path: Path) -> None:
    """Pytest loads it in every project that has it installed, wanted or not."""
    probe = (
        "import json, sys, pytest; before = set(sys.modules);"
        "import counterfoil.pytest_plugin; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    modules = set(json.loads(done.stdout))

    assert outside(modules) == set()
    assert rooms(modules) == {"pytest_plugin"}
