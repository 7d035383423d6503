"""The key under which secrets are digested: the same in every process of a project."""

import os
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client import system
from counterfoil.client.redact import KEY_BYTES, KEY_FILE, read_key

BINARY = 1 << 30
"""Stands in for `O_BINARY`, which Windows alone has: no flag of this system."""


def test_a_key_with_a_line_end_in_it_is_the_same_in_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows translates line ends in what is not opened as bytes."""
    really_open, really_write = os.open, os.write
    texts: set[int] = set()

    def windows_open(path: Any, flags: int, mode: int = 0o777) -> int:
        file = really_open(path, flags & ~BINARY, mode)
        if not flags & BINARY:
            texts.add(file)
        return file

    def windows_write(file: int, data: bytes) -> int:
        return really_write(file, data.replace(b"\n", b"\r\n") if file in texts else data)

    monkeypatch.setattr(system, "OPEN_FLAGS", system.OPEN_FLAGS | BINARY)
    monkeypatch.setattr(os, "open", windows_open)
    monkeypatch.setattr(os, "write", windows_write)
    monkeypatch.setattr(os, "urandom", lambda size: b"\n" * size)

    first = read_key(str(tmp_path))

    assert (tmp_path / KEY_FILE).read_bytes() == first == b"\n" * KEY_BYTES
    assert read_key(str(tmp_path)) == first
