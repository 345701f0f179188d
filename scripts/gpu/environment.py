"""What the machine is: GPU, driver, versions, and who else uses the GPU."""

import os
import subprocess
import sys

import torch
from gpu.plan import Found, GpuCheck

from kerastrash.backends import check_device, device_description
from kerastrash.errors import KerastrashError
from kerastrash.reports.tables import PlainTable
from kerastrash.runs import package_versions, processor_name

GPUS = "--query-gpu=name,driver_version,utilization.gpu,memory.used,memory.total,clocks.sm,power.draw,temperature.gpu"
PROCESSES = "--query-compute-apps=pid,name,used_memory"
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")


def environment(config: GpuCheck) -> Found:
    """Names the machine; raises ConfigError where the device cannot even compute in float32."""
    others = {"GPUs (nvidia-smi)": _nvidia_smi(GPUS), "processes on them": _nvidia_smi(PROCESSES)}  # ours not yet
    check_device("float32")
    rows = {
        "device": device_description(),
        "processor": f"{processor_name()}, {os.cpu_count()} cores",
        "python": sys.version.split()[0],
        "CUDA of torch": str(torch.version.cuda or torch.version.hip or "none"),
        **({"triton": _version("triton")} | package_versions()),
    }
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        rows |= {
            "compute capability": ".".join(map(str, torch.cuda.get_device_capability())),
            "architectures of torch": " ".join(torch.cuda.get_arch_list()),
            "cuDNN": str(torch.backends.cudnn.version()),
            "memory free": f"{free / 1e9:.1f} of {total / 1e9:.1f} GB",
        }
    rows |= others
    notes = [note for policy in POLICIES if (note := _refusal(policy))]
    return Found((PlainTable(("", "here"), list(rows.items()), text=("here",), title="environment"),), tuple(notes))


def _version(module: str) -> str:
    try:
        return __import__(module).__version__
    except ImportError:
        return "not installed"


def _refusal(policy: str) -> str:
    """Why the device does not train in this dtype policy; empty where it does."""
    try:
        check_device(policy)
    except KerastrashError as error:
        return str(error)
    return ""


def _nvidia_smi(query: str) -> str:
    """What nvidia-smi answers, a line for each GPU or process."""
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True, timeout=20, check=False
        )
    except FileNotFoundError:
        return "not asked: no nvidia-smi here"
    except subprocess.TimeoutExpired:
        return "nvidia-smi did not answer in 20 s"
    return (done.stdout if not done.returncode else done.stderr or done.stdout).strip().replace("\n", "; ") or "none"
