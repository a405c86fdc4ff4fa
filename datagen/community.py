"""The homes of a run, made or imported, as folders: the entry points of this package."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from common.config import RunConfig
from common.errors import UserError
from datagen.batteries import equipped
from datagen.generated import generated_community
from datagen.imported import imported_community
from datagen.importers.mapped import named_files
from datagen.importing import ImportOptions, imported_source
from datagen.manifest import MANIFEST, CommunityManifest, read_manifest
from datagen.source import Community
from datagen.writing import Progress, write_community

GENERATOR_VERSION = 3
"""Raised when the same inputs give other data than before."""


def prepare_homes(
    config: RunConfig, root: Path, progress: Progress | None = None, workers: int | None = None
) -> CommunityManifest:
    """Make or import the homes of a run under ``root``, one folder each, and ``root/community.json``.

    The folder appears complete or not at all.  If it is there already from the same inputs, it is used as it is.

    Args:
        config: ``data``, ``homes``, ``neighbours``, ``scenario``, ``climate``, ``stock``, ``archetypes``, ``date``,
            ``days``, ``test_days``, ``events``, ``seed``, ``solar_share`` and ``batteries`` decide what the homes are.
        root: folder of the homes' folders.
        progress: told after each home.
        workers: see :func:`datagen.writing.write_community`; the homes are the same whatever their number.

    Raises:
        UserError: bad options or data, or a folder that holds something else.
    """
    if config.data == "household":
        raise UserError("data 'household': each node brings its own home; there is nothing to prepare")
    inputs = _inputs(config)
    manifest = _existing(root, inputs)
    if manifest is not None:
        return manifest
    community = generated_community(config) if config.data == "generated" else imported_community(config)
    community = replace(community, homes=equipped(community.homes, config.seed, config.batteries))
    return _make(community, config.seed, inputs, root, progress, workers)


def import_homes(
    source: str, options: ImportOptions, root: Path, seed: int = 0, progress: Progress | None = None
) -> CommunityManifest:
    """Write all homes of a source under ``root``, one folder each, and ``root/community.json``; complete or not at all.

    Raises:
        UserError: bad data or options, or ``root`` holds something.
    """
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise UserError(f"{root} exists already; name another folder, so that nothing is overwritten")
    community = imported_source(source, options, seed)
    return _make(community, seed, {"imported": community.source}, root, progress)


def _make(
    community: Community,
    seed: int,
    inputs: dict[str, str | int | float],
    root: Path,
    progress: Progress | None,
    workers: int | None = None,
) -> CommunityManifest:
    """Write a community beside ``root`` and give it that name when it is whole."""
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = root.parent / f".{root.name}.{os.getpid()}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        manifest = write_community(community, seed, inputs, draft, progress, workers)
        return _publish(draft, root, inputs, manifest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _inputs(config: RunConfig) -> dict[str, str | int | float]:
    """All that the homes depend on."""
    inputs: dict[str, str | int | float] = {
        "generator_version": GENERATOR_VERSION,
        "homes": config.homes,
        "neighbours": config.neighbours,
        "seed": config.seed,
        "solar_share": config.solar_share,
        "date": config.date,
        "days": config.days,
        "test_days": config.test_days,
        "scenario": config.scenario,
    }
    if config.batteries:
        inputs["batteries"] = config.batteries
    if config.data == "generated" or config.neighbours:
        inputs |= {"climate": _climate_hash(config.climate), "stock": config.stock}
        if config.archetypes:
            inputs["archetypes"] = config.archetypes
    if config.events:
        inputs["events"] = _climate_hash(config.events)
    if config.data == "generated":
        return inputs | {"data": "generated"}
    refuse_url(config.data)
    return inputs | {"data": _files_hash(Path(config.data))}


def _climate_hash(climate: str) -> str:
    """A climate's zone, or the hash of its file (or of another file)."""
    file = Path(climate)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else climate


def refuse_url(data: str) -> None:
    """Raise UserError where the data is a database: it may change between two readings, a folder does not."""
    if "://" in data:
        raise UserError("data: a database is no folder; import it first: python -m datagen import URL --out homes")


def _files_hash(path: Path) -> str:
    """SHA-256 over the names and contents of the files at ``path``: a file, what a mapping names, or a whole folder."""
    if not path.exists():
        raise UserError(f"data '{path}': no such file or folder (or write 'generated')")
    digest = hashlib.sha256()
    files = path.rglob("*") if path.is_dir() else [path, *(named_files(path) if path.suffix == ".toml" else [])]
    for file in sorted(files):
        name = Path(os.path.relpath(file, path if path.is_dir() else path.parent))
        if file.is_file() and "state" not in name.parts[:-1]:  # a client's own notes, not data
            digest.update(name.as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _existing(root: Path, inputs: dict[str, str | int | float]) -> CommunityManifest | None:
    """Manifest of ``root`` if it was made from ``inputs``; None if nothing is there."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    manifest = read_manifest(root) if root.is_dir() else None
    if manifest is None:
        raise UserError(f"{root} exists and holds no community ({MANIFEST} is missing); choose another folder")
    if manifest.inputs != inputs:
        changed = sorted(key for key in inputs if manifest.inputs.get(key) != inputs[key])
        raise UserError(
            f"{root} holds homes made from other options ({', '.join(changed)}); delete it or choose another folder"
        )
    missing = [home for home in manifest.homes if not (root / home / "readings.parquet").is_file()]
    if missing:
        raise UserError(f"{root}: the readings of {missing[0]} are missing; delete the folder to make it anew")
    return manifest


def _publish(
    draft: Path, root: Path, inputs: dict[str, str | int | float], manifest: CommunityManifest
) -> CommunityManifest:
    """Rename ``draft`` to ``root``; if another process was first with the same inputs, take its folder."""
    try:
        draft.rename(root)
    except OSError:
        existing = _existing(root, inputs)
        if existing is None:
            raise
        return existing
    return manifest
