"""Whatever reads outside bytes is in the table that property tests and fuzzing go through.

A function is taken for a decoder by its name and its arguments.  One that is none, or that meets
bytes of our own making only, stands in `NOT_OUTSIDE` with the reason.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2] / "counterfoil"
_NAME = re.compile(r"(parse|read|decode|open|scan|import|feed|unseal|split)(_\w+)?")
_OUTSIDE = re.compile(r"\b(bytes|str|JSON|Any|Path)\b")

_OWN_FILE = "reads a file that is ours or is named by who runs it; its text goes to a decoder here"
_OWN_STORE = "reads what this ledger stored, by names of ours; `verify` judges that"
_MADE = "takes values of ours"
NOT_OUTSIDE = {
    "app.backup_manifest:read_manifest": _OWN_FILE,
    "app.blobs:Blobs.read": _OWN_STORE,
    "app.keyring:Keyring.open": _MADE,
    "app.keeping:Keeping.read_again": _OWN_STORE,
    "app.key_source:read_source": _OWN_FILE,
    "app.local:open_local": _OWN_FILE,
    "app.oidc:read_secret": _OWN_FILE,
    "app.opening:open_all": _OWN_STORE,
    "app.opening:open_body": _OWN_STORE,
    "app.prepare:open_keys": _MADE,
    "app.reserved:read_signer": _OWN_FILE,
    "app.sessions:Sessions.open": _MADE,
    "app.signing:open_signing": _OWN_FILE,
    "app.signin:open_session": _MADE,
    "app.tailing:open_tail": _OWN_FILE,
    "app.erased:ErasedBook.read": _OWN_STORE,
    "app.doctor_case:read_logs": _OWN_STORE,
    "app.doctor_case:read_serving": _OWN_FILE,
    "app.doctor_case:read_state": _OWN_STORE,
    "app.fsck:read_since": _OWN_FILE,
    "app.fsck_derived:read_derived": _OWN_STORE,
    "app.fsck_journal:open_journals": _OWN_FILE,
    "app.home:open_home": _OWN_FILE,
    "app.outside:Outside.open": _MADE,
    "client.evidence_files:read_bounded": _OWN_FILE,
    "client.evidence_files:read_named": _OWN_FILE,
    "client.evidence_files:read_pieces": _OWN_FILE,
    "policy.directory:Directory.open_invitations": _MADE,
}


def decoders() -> Iterator[str]:
    """Yield `room.module:function` of everything that looks like a decoder."""
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module.partition(".")[0] in {"cli", "demo", "ledger", "stores", "reporter", "testing"}:
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and _looks_like_one(node):
                yield f"{module}:{node.name}"
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from (
                    f"{module}:{node.name}.{inner.name}"
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and _looks_like_one(inner)
                )


def _looks_like_one(function: ast.FunctionDef) -> bool:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    kinds = [ast.unparse(one.annotation) for one in given if one.annotation is not None]
    return _NAME.fullmatch(function.name) is not None and any(map(_OUTSIDE.search, kinds))


def test_every_decoder_of_outside_bytes_is_tested_with_any_bytes() -> None:
    """Add it to a module of tests/fuzz/, with valid samples: tests and fuzzing follow."""
    tested = {
        f"{one.__module__.removeprefix('counterfoil.')}:{one.__qualname__}"
        for family in FAMILIES.values()
        for decoder in family
        for one in decoder.of
    }
    found = set(decoders())
    assert found - tested - NOT_OUTSIDE.keys() == set(), "in no module of tests/fuzz/"
    assert NOT_OUTSIDE.keys() - found == set(), "these are gone"
    assert NOT_OUTSIDE.keys() & tested == set(), "these are tested"
