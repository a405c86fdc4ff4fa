"""What happened, as it happened: one JSON object a line in ``events.jsonl``.

A ServerApp's output is no terminal and cannot draw; it writes events, and the command line reads and draws them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO


class EventLog:
    """Append-only writer of events; each line is flushed, so that a reader sees it at once.

    Args:
        path: the file.
        watch: called with each event, for a reader in the same process.
    """

    def __init__(self, path: Path, watch: Callable[[dict[str, Any]], None] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._watch = watch

    def write(self, event: str, **values: object) -> None:
        """Append an event with its moment (UTC) and its values (JSON types; NaN becomes null)."""
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **finite}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()
        if self._watch is not None:
            self._watch(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
