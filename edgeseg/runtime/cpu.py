"""What the processor is and can do, as far as choosing an engine needs to know."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def usable_cores() -> int:
    """How many cores this process may run on (its affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first, _, _ = text.partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_name() -> str:
    """The processor's name, for people to read."""
    info = _cpuinfo()
    return info.get("model name") or info.get("Model") or platform.processor() or platform.machine()


def cpu_features() -> dict[str, bool]:
    """Which of the instructions that make low precision fast this processor has: avx2, avx512, vnni, bf16, amx (Linux only)."""
    info = _cpuinfo()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "avx2": "avx2" in flags,
        "avx512": "avx512f" in flags,
        "vnni": bool(flags & {"avx512_vnni", "avx_vnni", "asimddp"}),
        "bf16": bool(flags & {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}),
        "amx": "amx_tile" in flags,
    }
