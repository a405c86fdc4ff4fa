import numpy as np
import pytest

from common.metrics import coverage, mae, nrmse, pinball, rmse

FORECAST, ACTUAL = np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 2.0])


def test_errors_of_a_small_forecast_by_hand():
    assert mae(FORECAST, ACTUAL) == pytest.approx(1.0)
    assert rmse(FORECAST, ACTUAL) == pytest.approx((5 / 3) ** 0.5)
    assert nrmse(FORECAST, ACTUAL) == pytest.approx((5 / 3) ** 0.5 / (7 / 3))
    assert np.isnan(nrmse(FORECAST, np.zeros(3)))
    assert pinball(FORECAST, ACTUAL, 0.5) == pytest.approx(0.5 * mae(FORECAST, ACTUAL))
    assert pinball(FORECAST, ACTUAL, 0.9) == pytest.approx((0.9 * 2 + 0.1 * 1) / 3)
    assert coverage(FORECAST - 1, FORECAST + 1, ACTUAL) == pytest.approx(2 / 3)
