"""Importers of real homes, by format. A further format is a module with an ``IMPORTER`` and a line here."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import UserError
from datagen.importers import citylearn, greenbutton_csv, greenbutton_xml, mapped, prepared, resstock, sql
from datagen.importers.base import ImportedCommunity, Importer

__all__ = ["IMPORTERS", "ImportedCommunity", "Importer", "importer_for"]

_FORMATS = (
    prepared.IMPORTER,
    citylearn.IMPORTER,
    resstock.IMPORTER,
    mapped.IMPORTER,
    greenbutton_csv.IMPORTER,
    greenbutton_xml.IMPORTER,
    sql.IMPORTER,
)
IMPORTERS: dict[str, Importer] = {importer.name: importer for importer in _FORMATS}


def importer_for(source: str) -> Importer:
    """Importer of the format of ``source``, a path or a URL.

    Raises:
        UserError: no known format.
    """
    for importer in IMPORTERS.values():
        if importer.detect(source):
            return importer
    if "://" not in source and not os.path.exists(source):  # noqa: PTH110 -- Path.exists raises for some names
        raise UserError(f"data '{source}': no such file or folder")
    if Path(source).suffix.lower() in (".csv", ".tsv"):
        raise mapped.mapping_wanted(Path(source))
    known = "; ".join(f"{importer.name}: {importer.summary}" for importer in IMPORTERS.values())
    raise UserError(f"data '{source}': not a known format ({known})")
