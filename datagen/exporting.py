"""Homes written in another format, complete or not at all: what ``python -m datagen export`` does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from common.errors import UserError
from datagen.importers import IMPORTERS, importer_for
from datagen.manifest import keep_out_of_git

WRITABLE = tuple(name for name, importer in IMPORTERS.items() if importer.save is not None)
"""Formats that homes can be written in."""


def export_homes(source: str, format_name: str, out: Path) -> tuple[int, list[Path], list[str]]:
    """Write the homes of a source at ``out``; how many there are, the files or the folder that were made, and notes.

    They are written into a draft beside it, which only its owner may read, and then take their names: a failure leaves
    nothing.

    Raises:
        UserError: an unknown format, bad data, homes that the format cannot hold, or something in the place.
    """
    if format_name not in WRITABLE:
        raise UserError(f"--format '{format_name}' is unknown; choose one of: {', '.join(WRITABLE)}")
    importer = IMPORTERS[format_name]
    save = importer.save
    assert save is not None
    homes = importer_for(source).load(source).homes
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.parent / f".{out.name}.{os.getpid()}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        save(homes, draft / out.name)
        written = sorted(draft.iterdir())
        for path in written:
            place = out.parent / path.name
            if place.exists() and not (place.is_dir() and not any(place.iterdir())):
                raise UserError(f"{place}: exists already; name another, so that nothing is overwritten")
        for path in written:
            if path.is_dir():
                keep_out_of_git(path)
            path.replace(out.parent / path.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    cars = sum(facts.car is not None for facts, _ in homes)
    notes = []
    if cars and not importer.keeps_cars:
        them = "its car" if cars == 1 else "their cars"
        notes.append(f"{cars} of the homes had stays of {them} at the charger, which {format_name} has no place for")
    return len(homes), [out.parent / path.name for path in written], notes
