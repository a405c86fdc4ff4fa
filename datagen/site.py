"""Places under the sky: a site, and the sun and the cloudless irradiance there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.units import SLOT_SECONDS

Floats = NDArray[np.float64]

STANDARD_OFFSET_SLOTS = -16
"""Pacific Standard Time, UTC-8: the sun keeps it all year."""


@dataclass(frozen=True)
class Site:
    """A place on the ground.

    Attributes:
        name: for people.
        latitude_deg, longitude_deg: north and east are positive.
        altitude_m: above sea level.
    """

    name: str
    latitude_deg: float
    longitude_deg: float
    altitude_m: float

    @property
    def linke_turbidity(self) -> Floats:
        """Linke turbidity by day of the year, row 0 is 1 January; shape ``(366,)``.

        From the monthly maps of SoDa (https://www.soda-pro.com/help/general-knowledge/linke-turbidity-factor), which
        pvlib ships.
        """
        return _linke_turbidity(self.latitude_deg, self.longitude_deg)


DEFAULT_SITE = Site("Sacramento", 38.5, -121.5, 10.0)


@dataclass(frozen=True)
class Sky:
    """Sun and cloudless irradiance in the middle of each slot; shape ``(n,)`` each, angles in degrees, W/m2."""

    zenith_deg: Floats
    azimuth_deg: Floats
    clear_ghi_w_m2: Floats


@lru_cache(maxsize=8)
def sky_of(slots: range, site: Site = DEFAULT_SITE) -> Sky:
    """Solar position (NREL SPA) and Ineichen clear sky of ``slots`` at ``site``, by pvlib.

    The arrays are shared by all who ask, so they are read-only.
    """
    from pvlib.location import Location

    middle = (np.arange(slots.start, slots.stop) * 2 + 1) * (SLOT_SECONDS // 2)
    times = pd.DatetimeIndex(pd.to_datetime(middle, unit="s", utc=True))
    place = Location(site.latitude_deg, site.longitude_deg, altitude=site.altitude_m)
    position = place.get_solarposition(times)
    turbidity = site.linke_turbidity[np.asarray(times.day_of_year) - 1]
    clear = place.get_clearsky(times, solar_position=position, linke_turbidity=turbidity)
    arrays = [
        np.array(column, np.float64) for column in (position["apparent_zenith"], position["azimuth"], clear["ghi"])
    ]
    for array in arrays:
        array.setflags(write=False)
    return Sky(*arrays)


@lru_cache(maxsize=64)
def _linke_turbidity(latitude_deg: float, longitude_deg: float) -> Floats:
    from pvlib.clearsky import lookup_linke_turbidity

    days = pd.date_range("2024-01-01 12:00", periods=366, freq="D", tz="Etc/GMT+8")
    by_day = np.array(lookup_linke_turbidity(days, latitude_deg, longitude_deg), np.float64)
    by_day.setflags(write=False)
    return by_day
