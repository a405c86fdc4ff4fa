"""Energy that waits: a heater of limited power serves what is asked of it later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def served_wh(demand_wh: Floats, limit_wh: Floats | float) -> Floats:
    """Energy served when at most ``limit_wh`` fits a slot and the rest waits (Lindley's recursion); shape ``(n,)``."""
    walk = np.cumsum(demand_wh - limit_wh)
    waiting = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    return demand_wh - np.diff(waiting, prepend=0.0)
