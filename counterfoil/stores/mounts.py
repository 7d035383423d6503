"""Which file system a path lies on, by what the kernel says of its mounts.

SQLite's write-ahead log needs memory that all its processes share, and the lock of a directory
needs `flock` that every machine obeys.  File systems that several machines mount promise neither,
so a ledger is refused there by the name of the file system.

Source: proc_pid_mountinfo(5); https://sqlite.org/wal.html ("does not work over a network
filesystem"); https://sqlite.org/faq.html#q5.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

MOUNTINFO: Final = Path("/proc/self/mountinfo")
SHARED: Final = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "davfs", "gfs", "gfs2",
        "glusterfs", "gpfs", "juicefs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs",
        "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    }
)  # fmt: skip
"""What other machines, or the host of this one, may have mounted too."""
SHARED_FUSE: Final = frozenset(
    {
        "ceph-fuse", "curlftpfs", "davfs", "davfs2", "gcsfuse", "glusterfs", "goofys", "grpcfuse",
        "juicefs", "JuiceFS", "moosefs", "mfs", "osxfs", "rclone", "s3fs", "seaweedfs", "sshfs",
        "vmhgfs-fuse", "webdav",
    }
)  # fmt: skip
"""The same among those that run as programs: `fuse.NAME`."""
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """Where something is mounted, and what kind of file system it is, as the kernel calls it."""

    point: str
    kind: str

    @property
    def is_shared(self) -> bool:
        """Whether other machines may write there at the same time."""
        name = self.kind.lower()
        return name in SHARED or self.kind.removeprefix("fuse.") in SHARED_FUSE


def mount_of(mountinfo: str, path: str) -> Mount | None:
    """Return the mount a path lies on, None if the text names none.

    Args:
        mountinfo: what `MOUNTINFO` holds.
        path: absolute, with no link in it and no `..`.

    Of two mounts at one point the later one counts: it hides the other.
    """
    found: Mount | None = None
    parts = PurePosixPath(path).parts
    depth = 0
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = _ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
        steps = PurePosixPath(point).parts
        if parts[: len(steps)] == steps and len(steps) >= depth:
            found, depth = Mount(point, kinds[0]), len(steps)
    return found


def shared_mount(path: Path) -> Mount | None:
    """Return the mount of a path if other machines may write there; None where nothing says so.

    Args:
        path: absolute, with no link in it.
    """
    try:
        # Names of mount points are bytes; as in paths, what is no UTF-8 is kept apart.
        text = MOUNTINFO.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return None  # no Linux, or a system that hides it: nothing is known
    mount = mount_of(text, str(path))
    return mount if mount is not None and mount.is_shared else None
