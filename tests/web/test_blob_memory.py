"""Memory stays flat however large the evidence is: a server of its own, its peak by the kernel."""

from collections.abc import Iterator

import pytest

from bench.blobs import MIB, measure_blob, measure_report
from bench.served import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("memory") / "foil") as running:
        # What the first requests of a process load is not what is measured.
        measure_blob(running, 2 * MIB)
        measure_report(running, MIB)
        yield running


def test_a_blob_of_100_mib_goes_up_and_comes_down_in_flat_memory(server: Served) -> None:
    """A few senders at once must not be the end of the server."""
    upload, download = measure_blob(server, 100 * MIB)

    assert upload.more_bytes < 24 * MIB
    assert download.more_bytes < 24 * MIB


def test_a_report_is_read_from_the_disk_and_not_from_memory(server: Served) -> None:
    """Held once, the report alone would take more than this; `bench.blobs` has the full one."""
    cost = measure_report(server, 64 * MIB, case_bytes=MIB // 2)

    assert cost.more_bytes < 24 * MIB
