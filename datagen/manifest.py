"""What lies in a folder of homes: ``community.json``, and the hash that says whether two communities are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from common.errors import UserError
from common.readings import HomeFacts, Readings, WeatherForecast

MANIFEST = "community.json"
IGNORE = ".gitignore"


class CommunityManifest(BaseModel):
    """Facts about a prepared community.

    Attributes:
        homes: ids, in the order of their folders: partition ``i`` of a simulation is ``homes[i]``.
        source: ``generated``, or the format that the homes were imported from; never a path.
        scenario: name of the generator's scenario; empty for real data.
        seed: of the run.
        data_hash: SHA-256 over facts, readings and forecasts (values, not files), as hex.
        first_day: first local day of the readings, whole where the homes are a run's.
        last_day: last local day on which a run may still be.
        start_date: first local day of the run.
        inputs: what the community was made from; the same inputs give the same homes.
        warnings: what a user should know about the data.
        gap_days: local days from ``first_day`` to ``last_day`` on which some home has slots without a reading.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    homes: list[str]
    source: str
    scenario: str
    seed: int
    data_hash: str
    first_day: date
    last_day: date
    start_date: date
    inputs: dict[str, str | int | float]
    warnings: list[str] = []
    gap_days: list[date] = []


def read_manifest(root: Path) -> CommunityManifest | None:
    """Manifest of a folder of homes, or None where there is none.

    Raises:
        UserError: a manifest of another shape.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        return CommunityManifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a community's manifest ({str(error).splitlines()[0]})") from None


def write_manifest(root: Path, manifest: CommunityManifest) -> None:
    """Write ``community.json``."""
    (root / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def keep_out_of_git(folder: Path) -> None:
    """Leave a note in a folder of readings that keeps it out of the repository that it may lie in: they are private."""
    (folder / IGNORE).touch(mode=0o600)
    (folder / IGNORE).write_text("*\n", encoding="utf-8")


def home_digest(facts: HomeFacts, readings: Readings) -> bytes:
    """SHA-256 over the values of a home's data."""
    # Homes without events, outages and a car keep the hash that they had before there were any.
    empty = {name for name in ("events", "outages", "car") if not getattr(facts, name)}
    digest = hashlib.sha256(facts.model_dump_json(exclude=empty).encode())
    digest.update(str(readings.first_slot).encode())
    for values in (readings.load_wh, readings.pv_wh, readings.channels, readings.weather):
        _add(digest, values)
    if readings.metered is not None:
        _add(digest, readings.metered)
    return digest.digest()


def community_hash(homes: Iterable[bytes], forecast: WeatherForecast | None) -> str:
    """SHA-256 over the digests of homes, in their order, and the community's weather forecasts; as hex."""
    digest = hashlib.sha256()
    for home in homes:
        digest.update(home)
    _add(digest, None if forecast is None else forecast.issue_slot)
    _add(digest, None if forecast is None else forecast.values)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, values: NDArray[np.generic] | None) -> None:
    """Add the type, shape and values of an array."""
    if values is None:
        digest.update(b"none")
        return
    digest.update(f"{values.dtype.str}{values.shape}".encode())
    digest.update(np.ascontiguousarray(values).tobytes())
