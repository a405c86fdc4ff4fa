"""The 24 features a half-hour that the Transformer reads, as tokens of one day, and what it knows of the next day.

A home that lacks a group of channels (a meter without sub-metering, no solar, the year before the first battery) feeds
zeros, and a flag a group that says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from client.features import DAY, WEEK, Float, HomeFeatures, Index
from client.history import OWN_CHANNELS, History
from common.readings import CHANNELS, WEATHER

TOKEN_CHANNELS = (
    "load_wh", "pv_wh", *CHANNELS,
    *OWN_CHANNELS[:3],
    *WEATHER,
    "sin_day", "cos_day", "sin_week", "cos_week", "sin_year", "cos_year", "holiday",
    "tariff_usd_per_kwh", OWN_CHANNELS[3],
)  # fmt: skip
"""The 24 features of a half-hour, in order."""

GROUPS = {"pv": slice(1, 2), "appliances": slice(2, 8), "battery": slice(8, 11), "weather": slice(11, 15),
          "market": slice(23, 24)}  # fmt: skip
"""Channels that a home may lack; one flag each."""

COVARIATE_NAMES = (
    "usual", "profile", "week_profile", "median_profile", "residual_of_yesterday", "residual_of_last_week",
    "community_of_yesterday", "spread_q10", "spread_q50", "spread_q90",
    "pv_profile", "pv_residual_of_yesterday", "pv_by_light", "temperature", "temperature_change", "light",
    "light_change", "tariff", "sin_day", "cos_day", "day_off",
)  # fmt: skip
"""What is known of each half-hour of the coming day at the origin, in order."""

WEATHER_COVARIATES = slice(12, 17)
_PRICE_CENTRE, _PRICE_SPREAD = 0.3, 0.2
_OWN_CENTRE = np.array([0.5, 0.0, 25.0, _PRICE_CENTRE], np.float32)
_OWN_SPREAD = np.array([0.3, 5.0, 10.0, _PRICE_SPREAD], np.float32)
_CLIP = np.float32(10.0)


@dataclass(frozen=True)
class Tokens:
    """Tokens of ``n`` origins of one home.

    Attributes:
        past: shape ``(n, 48, 24)``, scaled. flags: shape ``(n, 5)``, 1 where the home has the group.
        future: shape ``(n, 48, 21)``, scaled.
        scale_wh, pv_scale_wh: shape ``(n,)``, what one unit of load and of solar power is.
    """

    past: Float
    flags: Float
    future: Float
    scale_wh: Float
    pv_scale_wh: Float


def make_tokens(history: History, features: HomeFeatures, rows: Index) -> Tokens:
    """Tokens of the days that end at ``rows`` (see :meth:`HomeFeatures.rows`), shape ``(n,)``."""
    scale, pv_scale = features.scale_wh(rows), features.pv_scale_wh(rows)
    past, flags = _past(history, features, rows, scale, pv_scale)
    future = _future(features, rows, scale, pv_scale)
    return Tokens(np.clip(past, -_CLIP, _CLIP), flags, np.clip(future, -_CLIP, _CLIP), scale, pv_scale)


def _past(history: History, features: HomeFeatures, rows: Index, scale: Float, pv_scale: Float) -> tuple[Float, Float]:
    day = rows[:, None] - DAY + np.arange(DAY)  # (n, 48)
    past = np.zeros((*day.shape, len(TOKEN_CHANNELS)), np.float32)
    flags = np.zeros((len(rows), len(GROUPS)), np.float32)
    past[:, :, 0] = features.load[day] / scale[:, None]
    if features.has_pv:
        past[:, :, 1] = features.pv[day] / pv_scale[:, None]
        flags[:, 0] = 1
    if history.channels is not None:
        past[:, :, GROUPS["appliances"]] = history.channels.T[day] / scale[:, None, None]  # (n, 48, 6)
        flags[:, 1] = 1
    if features.has_weather:
        past[:, :, GROUPS["weather"]] = features.weather[day]
        flags[:, 3] = 1
    if history.own is not None:
        column = day + history.first_slot - history.own.first_slot
        known = (column >= 0) & (column < history.own.values.shape[1])  # (n, 48)
        own = ((history.own.values.T - _OWN_CENTRE) / _OWN_SPREAD)[np.where(known, column, 0)]  # (n, 48, 4)
        own = own * known[:, :, None]
        past[:, :, GROUPS["battery"]], past[:, :, GROUPS["market"]] = own[:, :, :3], own[:, :, 3:]
        flags[:, 2] = flags[:, 4] = known.any(axis=1)
    past[:, :, 15:23] = _calendar(features, day)
    return past, flags


def _calendar(features: HomeFeatures, day: Index) -> Float:
    """Calendar and tariff of slots, shape ``(n, 48, 8)``."""
    of_day = 2 * np.pi / DAY * features.half_hour[day]
    of_week = 2 * np.pi / 7 * (features.weekday[day] + features.half_hour[day] / DAY)
    of_year = features.year_angle[day]
    waves = [wave(angle) for angle in (of_day, of_week, of_year) for wave in (np.sin, np.cos)]
    price = (features.price[day] - _PRICE_CENTRE) / _PRICE_SPREAD
    return np.stack([*waves, np.maximum(features.holiday[day], features.event[day]), price], axis=2).astype(np.float32)


def _future(features: HomeFeatures, rows: Index, scale: Float, pv_scale: Float) -> Float:
    steps = np.arange(DAY)
    day = rows[:, None] + steps  # (n, 48)
    unit, pv_unit = scale[:, None], pv_scale[:, None]
    weather, yesterday = features.weather_ahead(rows, DAY), features.weather_yesterday(rows)  # (n, 48, 4)
    pv_usual = features.pv_profile[day] / pv_unit
    light = features.light_trust(rows)[:, None] * features.light_change(rows, steps, weather[:, :, 2])
    calendar = _calendar(features, day)
    columns = [
        features.usual_wh(day) / unit,
        features.profile[day] / unit,
        features.week_profile[day] / unit,
        features.median_profile[day] / unit,
        (features.load[day - DAY] - features.profile[day - DAY]) / unit,
        (features.load[day - WEEK] - features.profile[day - WEEK]) / unit,
        features.community_ahead(rows),
        *np.moveaxis(features.spread[day] / unit[:, :, None], 2, 0),
        pv_usual,
        (features.pv[day - DAY] - features.pv_profile[day - DAY]) / pv_unit,
        pv_usual * light,
        weather[:, :, 0],
        weather[:, :, 0] - yesterday[:, :, 0],
        weather[:, :, 2],
        weather[:, :, 2] - features.light_profile[day],
        calendar[:, :, 7],
        calendar[:, :, 0],
        calendar[:, :, 1],
        np.maximum(features.holiday[day], features.weekday[day] >= 5),
    ]
    return np.stack(columns, axis=2).astype(np.float32)  # (n, 48, 21)
