"""Where the Transformer computes: a GPU in bfloat16 where there is one, else the CPU."""

from __future__ import annotations

import os
from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def compute_device() -> torch.device:
    """The device of this process: CUDA if torch sees one and ``COMMONWATT_DEVICE`` is not ``cpu``."""
    wanted = os.environ.get("COMMONWATT_DEVICE", "")
    return torch.device("cuda" if torch.cuda.is_available() and wanted != "cpu" else "cpu")


def device_of(model: torch.nn.Module) -> torch.device:
    """Where a model's parameters lie."""
    return next(model.parameters()).device


def mixed_precision(device: torch.device) -> torch.autocast:
    """Context in which matrix products are bfloat16 where the device multiplies it in hardware."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" or fast_bfloat16())


def fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware: a step of the full model then takes two thirds of the time."""
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported is not None and supported())
