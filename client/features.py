"""What the forecasters see of one home: causal arrays by slot, built once and extended as slots are metered.

Everything is indexed by *origin*: the first slot that is not known.  A value for target slot ``s`` uses readings of
``s - 48`` and before (profiles of the day) or ``s - 336`` and before (of the week), so arrays by target slot are
causal for any origin within that horizon.  "Same half-hour" is 48 slots ago: on the days after the clocks change the
profiles lag an hour behind the people, for as long as they take to forget.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from client.history import COMMUNITY_LAG, History
from common.clock import local_calendar
from common.community import MOST_SURPRISE
from common.metrics import QUANTILES, sample_quantiles
from common.readings import FORECAST_LEAD_HOURS
from common.units import UUSD_PER_USD

Float = NDArray[np.float32]
Index = NDArray[np.int64]

DAY, WEEK, MONTH = 48, 336, 1440
HELD_OUT = 14 * DAY
"""Slots at the end of the history that nothing is fitted on: the Transformer is weighed against the ridge there."""

TRAILING = 28 * DAY
"""Slots of the trailing level; an origin needs that much history."""

_FORGET = np.float32(0.9)
WEEK_SHARE = np.float32(0.3)
_MEDIAN_DAYS, _LIT_DAYS, _TRUST_DAYS, _SPREAD_DAYS, _WEEKS = 21, 14, 14, 28, 4
_NEAR = 2
"""Slots before and after a half-hour whose errors, too, say how uncertain it is."""

_LEAST_SCALE_WH = 50.0
_GROWTH = 62 * DAY
_WEATHER_CENTRE = np.array([18.0, 60.0, 0.0, 3.0], np.float32)
_WEATHER_SPREAD = np.array([7.0, 25.0, 300.0, 3.0], np.float32)
"""Fixed, so that scaling needs no look at the data: degrees C, %, W/m2, m/s."""


class HomeFeatures:
    """Causal arrays of one home up to ``end`` (the known end of the history it was last updated with).

    Rows are slots from ``first_slot`` on. A features object is a cache: it can be rebuilt from a history at any time
    and is then the same, bit for bit.

    Attributes:
        load, pv: Wh a slot.
        profile, pv_profile: exponentially weighted mean of the same half-hour, by target slot.
        week_profile: mean of the same half-hour of the last 4 weeks, by target slot.
        median_profile: median of the same half-hour of the last 21 days, by target slot.
        spread: quantiles (:data:`common.metrics.QUANTILES`) of load - usual at about the same half-hour of the last
            28 days, by target slot, shape ``(slots, 3)``, Wh.
        community: mean surprise of the homes, 0 where none is known.
        lit: 1 where the same half-hour had any solar power in the last 14 days, by target slot.
        weather: observed, scaled, shape ``(slots, 4)``; zeros without weather.
        light_profile: exponentially weighted mean of the scaled irradiance of the same half-hour, by target slot.
        half_hour, weekday, holiday: local calendar of the slots, future included.
        event: 1 where something is on that many watch and that the home knows beforehand.
        year_angle: angle of the day in the year, rad. price: tariff's import price, $/kWh, future included.
    """

    def __init__(self, history: History) -> None:
        self.first_slot = history.first_slot
        self.has_weather = history.weather is not None
        self._allocate(history)
        self.update(history)

    def _allocate(self, history: History) -> None:
        self._capacity = len(history) + _GROWTH
        n = self._capacity + MONTH
        self.end = self.first_slot
        self.load, self.pv, self.profile, self.pv_profile, self.week_profile = np.zeros((5, n), np.float32)
        self.median_profile, self.light_profile, self.lit, self.community = np.zeros((4, n), np.float32)
        self.spread = np.zeros((n, len(QUANTILES)), np.float32)
        self.weather = np.zeros((n, 4), np.float32)
        self._sum, self._square_sum, self._pv_sum, self._pv_square_sum = np.zeros((4, self._capacity + 1))
        self._light_true_sum, self._light_said_sum = np.zeros((2, self._capacity + 1))
        slots = np.arange(self.first_slot, self.first_slot + n)
        calendar = local_calendar(slots, history.timezone)
        self.half_hour, self.weekday = calendar.half_hour, calendar.weekday
        self.holiday = calendar.holiday.astype(np.float32)
        self.event = np.zeros(n, np.float32)
        for first, end in history.events:
            self.event[max(first - self.first_slot, 0) : max(end - self.first_slot, 0)] = 1
        self.year_angle = (2 * np.pi / 365.25 * calendar.day_of_year).astype(np.float32)
        self.price = (history.tariff.import_uusd(slots) / UUSD_PER_USD).astype(np.float32)

    def update(self, history: History) -> None:
        """Learn what was metered since the last update; a history with an earlier end takes knowledge back."""
        self._forecast = history.forecast
        self._learn(history)
        if history.community is not None:  # anew each time: what a home missed may have come later
            self.community[: len(history.community)] = history.community

    def _learn(self, history: History) -> None:
        if history.known_end <= self.end:
            self.end = history.known_end
            return
        if len(history) > self._capacity:
            self._allocate(history)
        low, high = self.end - self.first_slot, len(history)
        self._copy(history, low, high)
        for a in range(low, high, DAY):
            self._extend(a, min(a + DAY, high))
        self.end = history.known_end

    @property
    def has_pv(self) -> bool:
        """Whether any solar power has been metered yet."""
        return bool(self._pv_sum[self.end - self.first_slot] > 0)

    def _copy(self, history: History, low: int, high: int) -> None:
        self.load[low:high] = history.load_wh[low:high]
        self.pv[low:high] = history.pv_wh[low:high]
        if history.weather is not None:
            self.weather[low:high] = _scaled(history.weather[:, low:high].T)
        load, pv = self.load[low:high].astype(np.float64), self.pv[low:high].astype(np.float64)
        for total, values in (
            (self._sum, load),
            (self._square_sum, load**2),
            (self._pv_sum, pv),
            (self._pv_square_sum, pv**2),
        ):
            _continue_sum(total, low, values)

    def _extend(self, a: int, b: int) -> None:
        """Profiles for the targets that rows ``a..b`` (at most a day) newly inform."""
        rows, tomorrow = slice(a, b), slice(a + DAY, b + DAY)
        for profile, values in (
            (self.profile, self.load),
            (self.pv_profile, self.pv),
            (self.light_profile, self.weather[:, 2]),
        ):
            if a < DAY:  # the first day starts the mean
                profile[a : min(b, DAY)] = values[a : min(b, DAY)]
            profile[tomorrow] = _FORGET * profile[rows] + (1 - _FORGET) * values[rows]
        days = min(a // DAY + 1, _MEDIAN_DAYS)
        self.median_profile[tomorrow] = np.median(_past(self.load, tomorrow, DAY, days), axis=0)
        days = min(a // DAY + 1, _LIT_DAYS)
        self.lit[tomorrow] = (_past(self.pv, tomorrow, DAY, days) > 0).any(axis=0)
        next_week = slice(a + WEEK, b + WEEK)
        self.week_profile[next_week] = _past(self.load, next_week, WEEK, min(a // WEEK + 1, _WEEKS)).mean(axis=0)
        self._measure_spread(np.arange(a + DAY, b + DAY))
        self._judge_light(np.arange(a, b))

    def usual_wh(self, target: Index) -> Float:
        """What the season makes usual in target slots, Wh; of a slot up to a day after the origin."""
        usual: Float = (1 - WEEK_SHARE) * self.profile[target] + WEEK_SHARE * self.week_profile[target]
        return usual

    def _measure_spread(self, target: Index) -> None:
        """Quantiles of the usual's known errors of the past days around the half-hour of each ``target``."""
        days = min((target[0] - _NEAR - WEEK) // DAY, _SPREAD_DAYS)  # the first week has no usual
        if days < WEEK // DAY:
            return
        near = np.arange(-_NEAR, _NEAR + 1)
        ago = (near - DAY * np.arange(1, days + 1)[:, None]).ravel()
        ago = ago[ago <= -DAY]  # what follows yesterday's half-hour may not have been metered
        past = target[None] + ago[:, None]
        self.spread[target] = sample_quantiles(self.load[past] - self.usual_wh(past))

    def surprise(self, rows: Index) -> Float:
        """How far the load of known ``rows`` was from its profile, in units of the home's scale; shape as ``rows``.

        What a home adds to the community's mean; 0 in the first 28 days, which have no scale.
        """
        late = np.maximum(rows, TRAILING)
        off: Float = (self.load[rows] - self.profile[rows]) / self.scale_wh(late)
        return np.where(rows < TRAILING, np.float32(0), np.clip(off, -MOST_SURPRISE, MOST_SURPRISE))

    def community_ahead(self, rows: Index) -> Float:
        """The community's surprise a day before each slot of the coming day, as far as known; shape ``(n, 48)``."""
        yesterday: Float = self.community[rows[:, None] - DAY + np.arange(DAY)]
        yesterday[:, DAY - COMMUNITY_LAG :] = 0  # not known yet, nor in training
        return yesterday

    def _judge_light(self, rows: Index) -> None:
        """Compare what the light foreseen 12 hours before meant for the solar power of ``rows`` with what came."""
        lead, said = DAY // 4, np.zeros(len(rows), np.float32)
        old = rows >= 2 * DAY
        origins = rows[old] - lead
        light = self.weather_ahead(origins, lead + 1, lead)[:, :, 2]  # (m, 1)
        said[old] = (self.pv_profile[rows[old], None] * self.light_change(origins, np.array([lead]), light))[:, 0]
        _continue_sum(self._light_true_sum, rows[0], said * (self.pv[rows] - self.pv_profile[rows]))
        _continue_sum(self._light_said_sum, rows[0], said**2)

    def light_trust(self, rows: Index) -> Float:
        """Share of the foreseen change of solar power that came true in the last weeks, 0..1, shape ``(n,)``.

        The least-squares factor: near 1 in changeable weather, near 0 in a clear summer, when all that the weather
        forecast adds to the profile is its error.
        """
        window = _TRUST_DAYS * DAY
        true, said = (total[rows] - total[rows - window] for total in (self._light_true_sum, self._light_said_sum))
        doubt = self.pv_scale_wh(rows) ** 2
        return np.clip((true + 0.5 * doubt) / (said + doubt), 0, 1).astype(np.float32)

    def light_change(self, rows: Index, steps: Index, light: Float) -> Float:
        """Change of the light against the usual of its hour, as a share of it, -1..2; shape ``(n, steps)``.

        Args:
            rows: origins. steps: slots after the origin, below 48. light: scaled irradiance there.
        """
        target, last = rows[:, None] + steps, rows[:, None] + DAY - 1  # no profile is known after a day
        hour = target - (target + self.first_slot) % 2  # forecasts are means of hours
        usual = (self.light_profile[hour] + self.light_profile[np.minimum(hour + 1, last)]) / 2
        change: Float = np.clip((light - usual) / (usual + np.float32(0.1)), -1, 2)
        return change

    def rows(self, origins: Index) -> Index:
        """Row numbers of origins, shape ``(n,)``.

        Raises:
            ValueError: an origin after the known end, or without 28 days before it.
        """
        rows = np.asarray(origins, np.int64) - self.first_slot
        if len(rows) and (rows.min() < TRAILING or rows.max() > self.end - self.first_slot):
            raise ValueError(
                f"forecast origins must lie between {self.first_slot + TRAILING} (28 days of history) "
                f"and {self.end} (the known end)"
            )
        return rows

    def scale_wh(self, rows: Index) -> Float:
        """Scale of the load at origins: standard deviation of the trailing 28 days, floored; Wh a slot, ``(n,)``."""
        return _scale(self._sum, self._square_sum, rows)

    def pv_scale_wh(self, rows: Index) -> Float:
        """The same for solar power."""
        return _scale(self._pv_sum, self._pv_square_sum, rows)

    def level_wh(self, rows: Index, slots: int = TRAILING) -> Float:
        """Mean load of the trailing ``slots``, Wh a slot, shape ``(n,)``."""
        return ((self._sum[rows] - self._sum[rows - slots]) / slots).astype(np.float32)

    def mean_wh(self, rows: Index, slots: int) -> Float:
        """Mean load of the ``slots`` that start at known ``rows``; shape as ``rows``."""
        return ((self._sum[rows + slots] - self._sum[rows]) / slots).astype(np.float32)

    def alive(self, rows: Index) -> NDArray[np.bool_]:
        """Whether an origin's trailing 28 days hold a load to learn from (a dead meter reads zero for months)."""
        n = TRAILING
        mean = (self._sum[rows] - self._sum[rows - n]) / n
        spread = (self._square_sum[rows] - self._square_sum[rows - n]) / n - mean**2
        return np.asarray(spread > _LEAST_SCALE_WH**2)

    def weather_ahead(self, rows: Index, horizon: int, start: int = 0) -> Float:
        """Weather forecast for the slots from ``start`` after each origin on, scaled; ``(n, horizon - start, 4)``.

        The newest forecast issued at or before the origin; past its last lead its last day repeats. Without one:
        yesterday's weather at the same half-hour.
        """
        steps = np.arange(start, horizon)
        ahead: Float = self.weather[rows[:, None] - DAY + steps % DAY]  # (n, steps, 4)
        if self._forecast is None or not self.has_weather:
            return ahead
        issue = np.searchsorted(self._forecast.issue_slot, rows + self.first_slot, side="right") - 1  # (n,)
        age = rows + self.first_slot - self._forecast.issue_slot[np.maximum(issue, 0)]  # (n,)
        lead = (age[:, None] + steps) // 2  # (n, steps)
        lead -= 24 * np.maximum(-(-(lead - FORECAST_LEAD_HOURS + 1) // 24), 0)
        known = issue >= 0
        ahead[known] = _scaled(self._forecast.values[issue[known, None], lead[known]])
        return ahead

    def weather_yesterday(self, rows: Index) -> Float:
        """Observed weather of the last day, scaled; shape ``(n, 48, 4)``."""
        yesterday: Float = self.weather[rows[:, None] - DAY + np.arange(DAY)]
        return yesterday


def _scaled(weather: NDArray[np.float32]) -> Float:
    scaled: Float = (weather - _WEATHER_CENTRE) / _WEATHER_SPREAD
    return scaled


def _continue_sum(total: NDArray[np.float64], low: int, values: NDArray[np.floating]) -> None:
    """Add up from entry ``low`` on, one after the other: the same bits whatever the steps in which values come."""
    total[low : low + len(values) + 1] = np.cumsum(np.append(total[low], values.astype(np.float64)))


def _past(values: Float, target: slice, period: int, count: int) -> Float:
    """The ``count`` earlier values of the same phase, shape ``(count, targets)``."""
    return np.stack([values[target.start - period * k : target.stop - period * k] for k in range(1, count + 1)])


def _scale(total: NDArray[np.float64], square_total: NDArray[np.float64], rows: Index) -> Float:
    mean = (total[rows] - total[rows - TRAILING]) / TRAILING
    recent = (square_total[rows] - square_total[rows - TRAILING]) / TRAILING - mean**2
    # A quiet month (a holiday, a dead meter) must not blow up what follows it: floor at a share of all history.
    always = square_total[rows] / rows - (total[rows] / rows) ** 2
    return np.sqrt(np.maximum(np.maximum(recent, 0.09 * always), _LEAST_SCALE_WH**2)).astype(np.float32)
