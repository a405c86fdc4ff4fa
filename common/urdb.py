"""Tariff files as OpenEI's Utility Rate Database (URDB) hands them out, brought to the shape of a tariff file.

The fields are those of https://openei.org/services/doc/rest/util_rates/ (version 8).  An answer of the service wraps
its tariffs in ``{"items": [...]}``; dates are seconds since 1970; no field says what a solar home gets for its exports,
except ``sell`` of a tier, which is rarely filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.errors import UserError

_SHOWN = 5
_CHARGES = {
    "flatdemandstructure": "demand charges",
    "demandratestructure": "demand charges by time of use",
    "coincidentratestructure": "charges for the utility's peak",
}
"""Charges that a bill per kWh leaves out, each a list of periods, which are lists of tiers."""
_DAYS_OF_A_YEAR = 365


def tariff_fields(raw: object, where: str, stem: str) -> dict[str, Any]:
    """Fields of the one tariff in a parsed JSON file, with what the database calls otherwise under our names.

    Args:
        raw: the parsed file.
        where: the file, for errors.
        stem: the file's name without its ending: the label of a tariff without one.

    Raises:
        UserError: not one tariff, or one with a date or charges that cannot be read.
    """
    fields = _only_one(raw, where)
    _check_charges(fields, where)
    label = str(fields.get("label") or stem)
    found: dict[str, Any] = {
        "label": label,
        "name": str(fields.get("name") or label),
        "utility": str(fields.get("utility") or "unknown"),
        "effective_date": _date(fields.get("startdate"), where) or "unknown",
        "source": str(fields.get("uri") or where),
        "notes": str(fields.get("energycomments") or ""),
    }
    return found | {key: value for key, value in fields.items() if value is not None and value != ""}


def _only_one(raw: object, where: str) -> Mapping[str, Any]:
    items = raw.get("items") if isinstance(raw, Mapping) and "items" in raw else raw
    if isinstance(items, Mapping):
        return items
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise UserError(f"tariff file {where}: not a tariff; expected one in the shape of OpenEI URDB")
    if len(items) != 1:
        names = ", ".join(f"{item.get('label')} ({item.get('name')})" for item in items[:_SHOWN])
        raise UserError(
            f"tariff file {where}: {len(items)} tariffs{': ' if names else ''}{names}; expected one: keep the one "
            "that you want in items"
        )
    return dict(items[0])


def advice(fields: Mapping[str, Any], missing: str) -> str:
    """What to do about a field that a tariff file lacks; empty where there is nothing to say."""
    if missing in ("energyratestructure", "energyweekdayschedule", "energyweekendschedule"):
        return (
            "; ask the database for the tariff in full (detail=full). A schedule is 12 months of 24 period numbers, "
            'the rate structure a list of periods, each a list of tiers such as [{"rate": 0.31}], in $/kWh'
        )
    if missing == "export":
        same = (
            ' The file says "Net Metering": if exports earn the import price, give each tier its rate as "sell".'
            if "net metering" in str(fields.get("dgrules", "")).lower()
            else ""
        )
        return (
            '; add "export_usd_per_kwh": 0.05 (0 if exports earn nothing), or "sell" to the first tier of each period, '
            f'or "export_usd_per_kwh_by_hour" with "weekday" and "weekend", each 12 months of 24 hours.{same}'
        )
    return ""


def left_out(fields: Mapping[str, Any]) -> list[str]:
    """What a tariff charges that a bill per kWh at the first tier leaves out, in words."""
    parts = []
    for amount, units, name in (
        ("fixedchargefirstmeter", "fixedchargeunits", "a fixed charge"),
        ("fixedmonthlycharge", "", "a fixed charge"),
        ("mincharge", "minchargeunits", "a minimum charge"),
        ("minmonthlycharge", "", "a minimum charge"),
    ):
        if fields.get(amount):
            parts.append(f"{name} of {_charge(fields[amount], str(fields.get(units) or '$/month'))}")
    tiered = [p for p in fields.get("energyratestructure", []) if isinstance(p, list) and len(p) > 1]
    if tiered:
        first = tiered[0][0]
        parts.append(f"prices above the first tier ({first.get('max', '?')} {first.get('unit') or 'kWh'})")
    for key, name in _CHARGES.items():
        if any(tier.get("rate") or tier.get("adj") for period in fields.get(key) or [] for tier in period):
            parts.append(name)
    return parts


def _check_charges(fields: Mapping[str, Any], where: str) -> None:
    for key in _CHARGES:
        periods = fields.get(key) or []
        known = isinstance(periods, list) and all(isinstance(period, list) for period in periods)
        if not known or not all(isinstance(tier, Mapping) for period in periods for tier in period):
            raise UserError(
                f"tariff file {where}: {key}: expected a list of periods, each a list of tiers such as "
                '[{"rate": 2.5}], in $/kW'
            )


def _charge(amount: object, units: str) -> str:
    """An amount as people say it, a daily one also by the month (a twelfth of a year)."""
    said = f"${amount} a {units[2:]}" if units.startswith("$/") else f"{amount} {units}"
    if units != "$/day" or not isinstance(amount, int | float):
        return said
    return f"{said} (about ${amount * _DAYS_OF_A_YEAR / 12:.0f} a month)"


def _date(seconds: object, where: str) -> str:
    """ISO date of a URDB date; as it stands where it is no number, empty for nothing."""
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        try:
            return datetime.fromtimestamp(seconds, UTC).date().isoformat()
        except (OSError, OverflowError, ValueError):
            raise UserError(
                f"tariff file {where}: startdate: {seconds} is no date; expected seconds since 1970"
            ) from None
    return str(seconds) if seconds else ""
