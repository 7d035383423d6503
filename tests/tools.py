"""What tests need from the machine."""

import os
import shutil

import pytest


def needs_tool(name: str) -> str:
    """Return the path of a program; skip the test by name without it.

    With COUNTERFOIL_SYSTEM=1 every tool has to be there: then its absence is a failure.
    """
    path = shutil.which(name)
    if path is None:
        if os.environ.get("COUNTERFOIL_SYSTEM") == "1":
            pytest.fail(f"{name} is missing, and COUNTERFOIL_SYSTEM=1 says every tool is there")
        pytest.skip(f"{name} is not installed: make test SYSTEM=1 installs it")
    return path
