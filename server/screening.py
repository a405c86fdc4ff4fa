"""What may enter a sum or an average: the agreed arrays, finite, of ordinary size, one share for each household.

Stock FedAvg lets NaN through, believes any claimed number of examples, and ends the run on a metric that is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord

ARRAYS, METRICS = "arrays", "metrics"
WEIGHT = "num-examples"
LARGEST_NORM = 10.0
"""An update whose norm is over so many times the median of all updates' norms is left out."""

Warn = Callable[[str], None]


def well_formed(sent: Mapping[str, ArrayRecord], warn: Warn) -> dict[str, ArrayRecord]:
    """Arrays (by household) of the agreed names and shapes, without NaN and infinity.

    Agreed is what most of the households sent.
    """
    shapes = {home: tuple((name, array.shape) for name, array in record.items()) for home, record in sent.items()}
    agreed = _most_frequent(shapes)
    kept = {}
    for home, record in sent.items():
        if shapes[home] != agreed:
            warn(f"arrays of {home} ignored: {shapes[home]}, expected {agreed}")
        elif not all(np.isfinite(array.numpy()).all() for array in record.values()):
            warn(f"arrays of {home} ignored: NaN or infinite values")
        else:
            kept[home] = record
    return kept


def screened(updates: Mapping[str, Message], warn: Warn) -> dict[str, Message]:
    """Model updates (by household) without the broken ones; every household weighs the same.

    Each message has the records ``arrays`` and ``metrics``; the metrics' names must be the agreed ones, too.
    """
    sound = well_formed({home: m.content.array_records[ARRAYS] for home, m in updates.items()}, warn)
    norms = {home: _norm(record) for home, record in sound.items()}
    limit = LARGEST_NORM * float(np.median(list(norms.values()))) if norms else 0.0
    names = {home: tuple(sorted(updates[home].content.metric_records[METRICS])) for home in sound}
    agreed = _most_frequent(names)
    kept = {}
    for home in sound:
        content = updates[home].content
        metrics = {name: value for name, value in content.metric_records[METRICS].items() if name != WEIGHT}
        if norms[home] > limit:
            warn(f"model update of {home} ignored: norm {norms[home]:.3g}, at most {limit:.3g} is usual")
        elif names[home] != agreed or not all(np.isfinite(value).all() for value in metrics.values()):
            warn(f"model update of {home} ignored: metrics {names[home]}, expected {agreed}, all finite")
        else:
            content[METRICS] = MetricRecord({WEIGHT: 1.0, **metrics})
            kept[home] = updates[home]
    return kept


def sound_metrics(sent: Mapping[str, MetricRecord], warn: Warn) -> dict[str, dict[str, float]]:
    """Metrics (by household) of the names that most sent, all of them finite numbers."""
    agreed = _most_frequent({home: tuple(sorted(metrics)) for home, metrics in sent.items()})
    kept = {}
    for home in sorted(sent):
        if tuple(sorted(sent[home])) != agreed or not all(np.isfinite(value).all() for value in sent[home].values()):
            warn(f"metrics of {home} ignored: {sorted(sent[home])}, expected {agreed}, all finite")
        else:
            kept[home] = {name: float(np.mean(value)) for name, value in sent[home].items()}
    return kept


def _norm(record: ArrayRecord) -> float:
    return float(np.sqrt(sum(float(np.square(array.numpy(), dtype=np.float64).sum()) for array in record.values())))


def _most_frequent(by_home: Mapping[str, Hashable]) -> Hashable | None:
    return Counter(by_home.values()).most_common(1)[0][0] if by_home else None
