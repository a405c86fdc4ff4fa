import numpy as np
import pytest
from home_cases import (
    FIRST_SLOT,
    TARIFF,
    changed_from,
    changed_issues,
    make_forecast,
    make_readings,
    see,
)

from client.features import DAY, TRAILING, HomeFeatures
from client.history import COMMUNITY_LAG, OWN_CHANNELS, History, OwnPast
from client.tokens import GROUPS, TOKEN_CHANNELS, make_tokens


def test_24_features_a_half_hour():
    assert len(TOKEN_CHANNELS) == len(set(TOKEN_CHANNELS)) == 24


def test_tokens_do_not_depend_on_what_comes_after_their_origin():
    readings = make_readings()
    forecast = make_forecast(readings)
    gate = FIRST_SLOT + 50 * DAY + 7
    other, other_forecast = changed_from(readings, gate), changed_issues(forecast, gate)
    community = np.random.default_rng(2).normal(size=len(readings)).astype(np.float32)
    early = see(readings, gate, forecast, community=community)
    changed = np.where(np.arange(len(readings)) < gate - FIRST_SLOT - COMMUNITY_LAG, community, np.float32(9))
    late = see(other, readings.end_slot, other_forecast, community=changed)
    rows = TRAILING + np.array([0, 5, 600, 50 * DAY + 7 - TRAILING])
    first = make_tokens(early, HomeFeatures(early), rows)
    second = make_tokens(late, HomeFeatures(late), rows)
    for name in ("past", "flags", "future", "scale_wh", "pv_scale_wh"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert np.isfinite(first.past).all()
    assert np.isfinite(first.future).all()


def test_growing_slot_by_slot_gives_the_same_as_all_at_once():
    readings = make_readings()
    start, end = FIRST_SLOT + 40 * DAY + 3, FIRST_SLOT + 42 * DAY + 11
    issued = make_forecast(readings)
    mean = np.random.default_rng(2).normal(size=len(readings)).astype(np.float32)
    grown = HomeFeatures(see(readings, start, issued, community=mean))
    for gate in range(start + 1, end + 1):
        grown.update(see(readings, gate, issued, community=mean))
    whole = HomeFeatures(see(readings, end, issued, community=mean))
    rows = np.arange(TRAILING, end - FIRST_SLOT + 1)
    for name in ("profile", "pv_profile", "median_profile", "light_profile", "lit", "spread", "community"):
        np.testing.assert_array_equal(getattr(grown, name)[rows], getattr(whole, name)[rows], err_msg=name)
    np.testing.assert_array_equal(grown.week_profile[rows], whole.week_profile[rows])
    for measure in ("scale_wh", "pv_scale_wh", "light_trust"):
        np.testing.assert_array_equal(getattr(grown, measure)(rows), getattr(whole, measure)(rows), err_msg=measure)


def test_a_history_with_an_earlier_end_takes_knowledge_back():
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot))
    features.update(see(readings, FIRST_SLOT + 40 * DAY))
    with pytest.raises(ValueError, match="origins must lie"):
        features.rows(np.array([FIRST_SLOT + 40 * DAY + 1]))


def test_profiles_are_means_of_the_same_half_hour():
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot))
    row = 40 * DAY + 5
    past = readings.load_wh[row - np.arange(1, 22) * DAY]
    assert features.median_profile[row] == np.median(past)
    week = readings.load_wh[row - np.arange(1, 5) * 7 * DAY]
    assert features.week_profile[row] == pytest.approx(week.mean(), rel=1e-6)
    everything = readings.load_wh[row - np.arange(1, 41) * DAY]
    weights = np.append(0.1 * 0.9 ** np.arange(39), 0.9**39)
    assert features.profile[row] == pytest.approx(everything @ weights, rel=1e-5)


def test_the_spread_is_of_the_usuals_known_errors_around_the_half_hour():
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot))
    row = 45 * DAY + 5
    error = features.load[: len(readings)] - features.usual_wh(np.arange(len(readings)))
    ago = [DAY * day + near for day in range(1, 29) for near in range(-2, 3) if DAY * day + near >= DAY]
    low, median, high = np.sort(error[row - np.array(ago)])[[0, len(ago) // 2, -1]]
    assert low < features.spread[row, 0] < features.spread[row, 1] < features.spread[row, 2] < high
    expected = np.quantile(error[row - np.array(ago)], [0.1, 0.5, 0.9], method="weibull")
    np.testing.assert_allclose(features.spread[row], expected, rtol=1e-5)
    assert median == pytest.approx(expected[1], rel=0.2)


def test_a_surprise_is_the_deviation_in_units_of_the_homes_scale():
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot))
    rows = np.array([TRAILING - 1, TRAILING + 100])
    off = (features.load[rows[1]] - features.profile[rows[1]]) / features.scale_wh(rows[1:])[0]
    np.testing.assert_allclose(features.surprise(rows), [0, off], rtol=1e-6)


def test_without_weather_forecasts_yesterday_persists():
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot))
    rows = np.array([TRAILING + 3])
    ahead = features.weather_ahead(rows, 60)
    np.testing.assert_array_equal(ahead[0, :48], features.weather[rows[0] - 48 : rows[0]])
    np.testing.assert_array_equal(ahead[0, 48:], ahead[0, :12])


def test_the_newest_issued_forecast_is_used_by_lead_hour():
    readings = make_readings()
    forecast = make_forecast(readings)
    features = HomeFeatures(see(readings, readings.end_slot, forecast))
    row = TRAILING + 12 * 3 + 5  # issued every 12 slots: the newest is 5 slots old
    issue = int(np.searchsorted(forecast.issue_slot, row + FIRST_SLOT, side="right")) - 1
    ahead = features.weather_ahead(np.array([row]), 160)
    assert ahead[0, 0, 0] == pytest.approx((forecast.values[issue, 2, 0] - 18) / 7, abs=1e-6)  # 2.5 h after the issue
    assert ahead[0, 1, 0] == pytest.approx((forecast.values[issue, 3, 0] - 18) / 7, abs=1e-6)
    assert ahead[0, 139, 0] == pytest.approx((forecast.values[issue, 48, 0] - 18) / 7, abs=1e-6)  # past its last lead


def test_absent_groups_are_zero_with_a_flag():
    readings = make_readings(solar=False)
    bare = type(readings)(readings.first_slot, readings.load_wh, readings.pv_wh)
    history = see(bare, bare.end_slot)
    tokens = make_tokens(history, HomeFeatures(history), np.array([TRAILING]))
    assert not tokens.flags.any()
    for group in GROUPS.values():
        assert not tokens.past[:, :, group].any()


def test_battery_and_market_come_from_the_homes_own_past():
    readings = make_readings()
    gate = FIRST_SLOT + 40 * DAY
    own = OwnPast(gate - 10, np.full((len(OWN_CHANNELS), 30), 0.9, np.float32))
    history = History(readings, gate, tariff=TARIFF, own=own)
    tokens = make_tokens(history, HomeFeatures(history), np.array([39 * DAY, 40 * DAY]))
    soc = tokens.past[:, :, TOKEN_CHANNELS.index("battery_soc")]
    assert not soc[0].any()
    assert not soc[1, :38].any()
    assert (soc[1, 38:] > 1).all()
    np.testing.assert_array_equal(tokens.flags[:, 2], [0, 1])
