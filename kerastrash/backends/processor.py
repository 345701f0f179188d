"""The processor's model name, for the sentence that says where a time was measured."""

import platform
from pathlib import Path


def processor_name() -> str:
    """Such as `AMD EPYC 7B13`; the machine's architecture where the system does not tell the model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown processor"
