"""Central's guard against a rebound peak, at home: how much of its grid charging a home may do in each slot."""

from __future__ import annotations

import numpy as np

from client.battery import Floats, Ints
from common.tariff import charge_windows


def grid_charge_caps_wh(desired_wh: Ints, charge_share: Floats, import_uusd: Ints, slots: int) -> Floats:
    """Caps on grid charging that central's guard against a rebound peak leaves each home.

    Args:
        desired_wh: the home's own planned grid charging for the slots of the broadcast curve, shape ``(H, C)``.
        charge_share: share of it that may be done in each slot, shape ``(C,)``; above 1 is no limit.
        import_uusd: import prices of the same slots, shape ``(C,)``.
        slots: length of the caps; slots beyond the curve are not capped.

    Returns:
        AC Wh, shape ``(H, slots)``.
    """
    caps = np.full((len(desired_wh), slots), np.inf)
    window = charge_windows(import_uusd)
    for number in range(window[-1] + 1):
        inside = window == number
        total = desired_wh[:, inside].sum(axis=1, keepdims=True)  # integers: exact in any order
        share = charge_share[inside]
        caps[:, : len(window)][:, inside] = np.where(share <= 1.0, share * total, np.inf)
    return caps[:, :slots]


def import_ceilings_wh(net_wh: Floats, limit_wh: Floats) -> Floats:
    """Imports that homes do not exceed by charging from the grid, however much they use in the slot.

    Central pours the charging over what homes expect to use.  When a home uses more than in any of its scenarios its
    battery waits, so that the one does not come on top of the other.

    Args:
        net_wh: scenarios of the slot's net load, shape ``(H, K)``.
        limit_wh: of grid charging in the slot, shape ``(H,)``.

    Returns:
        Wh, shape ``(H,)``.
    """
    ceilings: Floats = np.maximum(net_wh.max(axis=1), 0.0) + limit_wh
    return ceilings
