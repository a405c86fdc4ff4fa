"""JSON Schemas of the files that a run writes; ``python -m report.json_schema`` puts them into ``docs/schema``."""

from __future__ import annotations

import json
from pathlib import Path

from report.evaluation import Evaluation
from report.schema import Part, Result

SCHEMAS: dict[str, type[Part]] = {"result": Result, "evaluate": Evaluation}
"""Shape of each file, by its name without the ending."""

FOLDER = Path("docs/schema")


def schema_path(name: str) -> Path:
    """Where the JSON Schema of a file lies, from the project's folder."""
    return FOLDER / f"{name}.schema.json"


def schema_json(name: str) -> str:
    """JSON Schema (draft 2020-12) of a file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | SCHEMAS[name].model_json_schema()
    return json.dumps(schema, indent=1) + "\n"


def write_schemas() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        schema_path(name).write_text(schema_json(name), encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
