"""Importers of real homes, by format. A further format is a module with an ``IMPORTER`` and a line here."""

from __future__ import annotations

import os

from common.errors import UserError
from datagen.importers import citylearn, greenbutton_csv, greenbutton_xml, mapped, prepared, resstock, sql
from datagen.importers.base import ImportedCommunity, Importer
from datagen.importers.unknown import unknown_source

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
        UserError: no known format, and what would mend it.
    """
    for importer in IMPORTERS.values():
        if importer.detect(source):
            return importer
    if "://" not in source and not os.path.exists(source):  # noqa: PTH110 -- Path.exists raises for some names
        raise UserError(f"data '{source}': no such file or folder")
    raise unknown_source(source)
