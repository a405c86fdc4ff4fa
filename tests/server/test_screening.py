import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from server.screening import screened, well_formed

TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1  # constructing a message reads them


def update(values: object, examples: float = 4.0, **metrics: float) -> Message:
    records = RecordDict(
        {
            "arrays": ArrayRecord({"parameters": Array(np.array(values, np.float32))}),
            "metrics": MetricRecord({"num-examples": examples, "loss": 1.0, **metrics}),
        }
    )
    return Message(records, dst_node_id=1, message_type="train")


GOOD = {f"home-{i}": [1.0, 2.0 + i / 10, -1.0] for i in range(5)}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (update([1.0, float("nan"), 0.0]), "NaN or infinite"),
        (update([1.0, float("inf"), 0.0]), "NaN or infinite"),
        (update([1.0, 2.0]), "expected"),
        (update([[1.0, 2.0, -1.0]]), "expected"),
        (update([1e6, 2e6, -1e6]), "norm"),
        (update([1.0, 2.0, -1.0], extra=1.0), "metrics"),
        (update([1.0, 2.0, -1.0], loss=float("nan")), "metrics"),
    ],
)
def test_a_broken_update_stays_out_and_is_named(bad: Message, says: str) -> None:
    warnings: list[str] = []
    kept = screened({home: update(v) for home, v in GOOD.items()} | {"evil": bad}, warnings.append)
    assert sorted(kept) == sorted(GOOD)
    assert len(warnings) == 1
    assert "evil" in warnings[0]
    assert says in warnings[0]


def test_a_claimed_number_of_examples_counts_for_nothing() -> None:
    kept = screened({"a": update([1.0]), "b": update([1.0], examples=1e12), "c": update([1.0], examples=-1.0)}, print)
    assert [m.content.metric_records["metrics"]["num-examples"] for m in kept.values()] == [1.0, 1.0, 1.0]


def test_nothing_in_nothing_out() -> None:
    assert screened({}, print) == {}
    assert well_formed({}, print) == {}
