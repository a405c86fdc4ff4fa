"""Importers of real homes, by format. A further format is a module with an ``IMPORTER`` and a line here."""

from __future__ import annotations

from common.errors import UserError
from datagen.importers import citylearn
from datagen.importers.base import ImportedCommunity, Importer

__all__ = ["IMPORTERS", "ImportedCommunity", "Importer", "importer_for"]

IMPORTERS: dict[str, Importer] = {importer.name: importer for importer in (citylearn.IMPORTER,)}


def importer_for(source: str) -> Importer:
    """Importer of the format of ``source``, a path or a URL.

    Raises:
        UserError: no known format.
    """
    for importer in IMPORTERS.values():
        if importer.detect(source):
            return importer
    known = "; ".join(f"{importer.name}: {importer.summary}" for importer in IMPORTERS.values())
    raise UserError(f"data '{source}': not a known format ({known})")
