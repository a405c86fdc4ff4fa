"""Model updates that may enter the average: the right arrays, of the right shape, finite, one share each.

Stock FedAvg lets NaN through and believes any claimed number of examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from flwr.app import Message, MetricRecord

ARRAYS, METRICS = "arrays", "metrics"
WEIGHT = "num-examples"


def screened(updates: Mapping[str, Message], warn: Callable[[str], None]) -> dict[str, Message]:
    """Updates (by household) without the broken ones; every household weighs the same.

    The agreed shape is the most frequent one among the updates.
    """
    shapes = {
        home: tuple((name, array.shape) for name, array in message.content.array_records[ARRAYS].items())
        for home, message in updates.items()
    }
    agreed = Counter(shapes.values()).most_common(1)[0][0] if shapes else ()
    kept = {}
    for home, message in updates.items():
        content = message.content
        if shapes[home] != agreed:
            warn(f"model update of {home} ignored: arrays {shapes[home]}, expected {agreed}")
        elif not all(np.isfinite(array.numpy()).all() for array in content.array_records[ARRAYS].values()):
            warn(f"model update of {home} ignored: NaN or infinite values")
        else:
            metrics = {k: v for k, v in content.metric_records[METRICS].items() if k != WEIGHT}
            content[METRICS] = MetricRecord({WEIGHT: 1.0, **metrics})
            kept[home] = message
    return kept
