"""Whether a path lies on a network drive, where SQLite's locks and shared memory do not work."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
# types as /proc/mounts gives them; of those in user space only the ones that reach another machine: fuse.mergerfs and
# fuseblk are local disks
NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|davfs|drvfs|glusterfs|gpfs|lustre|ncpfs|nfs\d?|prl_fs|smb\d?|smbfs|vboxsf|virtiofs"
    r"|fuse\.(ceph|cephfs|davfs2?|gcsfuse|glusterfs|goofys|juicefs|rclone|s3fs|sshfs|vmhgfs-fuse)"
)


def network_drive(path: Path, *, mounts: str | None = None) -> str | None:
    """Type of the network file system that holds `path` ("nfs4"), None where the disk is local or unknown.

    Parameters
    ----------
    path : need not exist
    mounts : text of /proc/mounts; by default this machine's, empty where there is none (macOS)
    """
    if mounts is None:
        mounts = MOUNTS.read_text(errors="surrogateescape") if MOUNTS.exists() else ""
    place = path.resolve()
    kind, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        # a later mount on the same point hides the earlier one, hence >=
        if (point == place or point in place.parents) and len(point.parts) >= depth:
            kind, depth = fields[2], len(point.parts)
    return kind if NETWORK.fullmatch(kind) else None


def _unescaped(field: str) -> str:
    r"""The kernel writes a space in a path as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
