"""The slow, obvious matcher: fractions for the shares, one watt-hour at a time for the pairing."""

from fractions import Fraction
from hashlib import blake2b
from math import ceil, floor


def matched(slot, price_uusd, orders, rules, seed):
    """Rows (buyer, seller, delivered_wh, injected_wh), in the order of the trades."""
    arrives = 1 - Fraction(rules.loss_num, rules.loss_den)
    buys = {o.home_id: o.energy_wh for o in orders if o.side == "buy" and o.limit_uusd >= price_uusd}
    sells = {o.home_id: floor(o.energy_wh * arrives) for o in orders if o.side == "sell" and o.limit_uusd <= price_uusd}
    traded_wh = min(sum(buys.values()), sum(sells.values()))
    buyers = _each_wh(_shares(buys, traded_wh, slot, seed), slot, seed)
    sellers = _each_wh(_shares(sells, traded_wh, slot, seed), slot, seed)

    rows, delivered_by, injected_by = [], {}, {}
    for buyer, seller in zip(buyers, sellers, strict=True):
        delivered_by[seller] = delivered_by.get(seller, 0) + 1
        injected_wh = ceil(delivered_by[seller] / arrives) - injected_by.get(seller, 0)
        injected_by[seller] = injected_by.get(seller, 0) + injected_wh
        if rows and rows[-1][:2] == [buyer, seller] and rows[-1][2] < rules.lot_wh:
            rows[-1][2] += 1
            rows[-1][3] += injected_wh
        else:
            rows.append([buyer, seller, 1, injected_wh])
    return [tuple(row) for row in rows]


def _place(home_id, slot, seed):
    return blake2b(f"{seed}/{slot}/{home_id}".encode(), digest_size=16).digest()


def _shares(wanted_wh, total_wh, slot, seed):
    if total_wh == 0:
        return {}
    exact = {home: Fraction(wh * total_wh, sum(wanted_wh.values())) for home, wh in wanted_wh.items()}
    shares = {home: floor(share) for home, share in exact.items()}
    by_remainder = sorted(exact, key=lambda home: (shares[home] - exact[home], _place(home, slot, seed)))
    for home in by_remainder[: total_wh - sum(shares.values())]:
        shares[home] += 1
    return shares


def _each_wh(shares_wh, slot, seed):
    return [
        home for home in sorted(shares_wh, key=lambda home: _place(home, slot, seed)) for _ in range(shares_wh[home])
    ]
