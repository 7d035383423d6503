"""From data to one HTML file that opens from disk and needs nothing else.

What must hold: the same data give the same bytes; nothing from outside stands in the page but
inside the one data element, where `<` is escaped; the policy in the page allows exactly the
script and the style that stand in it, and no address.

Source: docs/proof-file.md.
"""

import base64
import hashlib
from functools import cache
from importlib import resources

from counterfoil.verifier.proof_file import DATA_CLOSE, DATA_END, DATA_OPEN, Proof, write_data

_PARTS = ("core.js", "file.js", "page.js")


@cache
def part(name: str) -> str:
    """Return a file of this package, such as `core.js`."""
    return (resources.files("counterfoil.prooffile") / name).read_text("utf-8")


def bundle(*parts: str) -> str:
    r"""Return modules as one: their import lines, which name each other, are left out.

    >>> bundle("export const a = 1;", 'import { a } from "./a.js";\na;')
    'export const a = 1;\na;\n'
    """
    lines = [line for text in parts for line in text.splitlines() if not line.startswith("import ")]
    return "\n".join([*lines, ""])


def make_page(proof: Proof) -> bytes:
    """Return the proof file of `proof`; its digest is computed here.

    Cost: a few milliseconds; about 50 KB more than its data.
    """
    before, after = _shell()
    data = DATA_OPEN + write_data(proof) + DATA_CLOSE
    return before + data + b"\n" + DATA_END + after


@cache
def _shell() -> tuple[bytes, bytes]:
    """Return what stands before and behind the data."""
    script, style = bundle(*(part(name) for name in _PARTS)), part("page.css")
    for text in (script, style):
        assert "</" not in text, "code that could end its own element"
        assert "<!--" not in text, "code that could open a comment"
    page = part("page.html")
    for name, text in (("script", script), ("style", style)):
        page = page.replace(f"@{name}-hash@", _hash(text)).replace(f"@{name}@", text)
    before, after = page.split("@data@")
    return before.encode(), after.encode()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
