"""How the C library hands memory back to the system."""

import ctypes
import platform

MMAP_MAX, TRIM_THRESHOLD, TOP_PAD = -4, -1, -2
"""glibc's names for mallopt (malloc.h)."""
STEP = 2**28
"""Bytes by which the heap grows."""
KEPT_ANYWAY = 2**25
"""Bytes: glibc keeps freed blocks up to this size without being told (mallopt(3), M_MMAP_THRESHOLD)."""


def keep_freed_memory() -> bool:
    """Lets this process keep the memory that it frees, for its own next use; False where the system cannot be told so.

    glibc returns each large block to the system as soon as it is freed, and the next one arrives page by page, zeroed:
    for a training step on the processor, whose every activation is such a block, that is a third of its time. The
    process stays as large as it was at its peak.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) for option, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, STEP)))
