"""On which file system a path lies, and which of them other machines may have mounted too."""

from pathlib import Path

import pytest

from counterfoil.stores import mounts
from counterfoil.stores.mounts import Mount, mount_of, shared_mount

MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /srv rw,relatime shared:1 - xfs /dev/vdb rw
31 30 0:41 / /srv/share rw,relatime shared:7 master:2 - nfs4 filer:/export rw,vers=4.2
32 27 0:41 /ledgers /opt/audit\040log rw,relatime - nfs4 filer:/export rw,vers=4.2
33 31 0:42 / /srv/share/scratch rw - tmpfs tmpfs rw
34 27 0:43 / /home/ana/remote rw - fuse.sshfs ana@box:/ rw
35 27 0:44 / /mnt/usb rw - fuseblk /dev/sdb1 rw
36 27 0:45 / /data rw - cifs //filer/data rw
37 36 254:0 /data /data rw - ext4 /dev/vda rw
a line of nonsense
""".strip()
ON = {
    "the root": ("/var/lib/foil", Mount("/", "ext4")),
    "a disk of its own": ("/srv/foil", Mount("/srv", "xfs")),
    "a share below it": ("/srv/share/foil", Mount("/srv/share", "nfs4")),
    "the mount point itself": ("/srv/share", Mount("/srv/share", "nfs4")),
    "a name that only begins like it": ("/srv/shared", Mount("/srv", "xfs")),
    "memory below the share": ("/srv/share/scratch/x", Mount("/srv/share/scratch", "tmpfs")),
    "a bind mount of a part of the share, its name escaped": (
        "/opt/audit log/foil", Mount("/opt/audit log", "nfs4")),
    "a program that reads from elsewhere": (
        "/home/ana/remote/foil", Mount("/home/ana/remote", "fuse.sshfs")),
    "a program that reads a stick here": ("/mnt/usb/foil", Mount("/mnt/usb", "fuseblk")),
    "a disk mounted over a share": ("/data/foil", Mount("/data", "ext4")),
}  # fmt: skip
SHARED = {
    "a share below it", "the mount point itself", "a program that reads from elsewhere",
    "a bind mount of a part of the share, its name escaped",
}  # fmt: skip


@pytest.mark.parametrize("name", ON)
def test_a_path_lies_on_the_nearest_mount_above_it(name: str) -> None:
    path, mount = ON[name]
    assert mount_of(MOUNTINFO, path) == mount
    assert mount.is_shared == (name in SHARED)


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs", "fuse.rclone", "fuse.s3fs"]
)
def test_a_file_system_of_several_machines_is_known_by_its_name(kind: str) -> None:
    assert Mount("/x", kind).is_shared


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "fuse.fuse-overlayfs"])
def test_a_file_system_of_one_machine_is_none_of_them(kind: str) -> None:
    assert not Mount("/x", kind).is_shared


def test_where_nothing_is_mounted_nothing_is_known() -> None:
    assert mount_of("", "/x") is None
    assert mount_of("22 27 0:21 / /proc rw - proc proc rw", "/x") is None


def test_the_directory_of_this_test_is_on_this_machine(tmp_path: Path) -> None:
    """The one check against the real kernel: what it says is read, and passes."""
    text = mounts.MOUNTINFO.read_text("utf-8", errors="surrogateescape")
    found = mount_of(text, str(tmp_path.resolve()))
    assert found is not None
    assert str(tmp_path.resolve()).startswith(found.point)
    assert shared_mount(tmp_path.resolve()) is None


def test_where_the_kernel_does_not_tell_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "absent")
    assert shared_mount(tmp_path) is None
