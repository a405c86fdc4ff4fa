"""Figures of the rounds for TensorBoard, where that is installed (``pip install 'commonwatt[tensorboard]'``)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NAMES = {"loss": "training/loss", "validation_base": "held-out/base", "validation_model": "held-out/model",
          "seconds": "round/seconds", "homes": "round/homes"}  # fmt: skip


class Scalars:
    """Writes each ``round`` event as scalars; without TensorBoard it does nothing.

    Args:
        folder: of TensorBoard's files, made with the first round.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._installed = find_spec("tensorboard") is not None
        self._writer: Any = None

    def update(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        if event["event"] == "round" and self._installed:
            if self._writer is None:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(self._folder))
            for name, tag in _NAMES.items():
                if event.get(name) is not None:
                    self._writer.add_scalar(tag, event[name], event["round"])
            self._writer.flush()
        elif event["event"] == "run-ended" and self._writer is not None:
            self._writer.close()
