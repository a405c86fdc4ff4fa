"""The folders are the architecture: who may import whom, and one list of run options."""

import ast
import importlib
import tomllib
from pathlib import Path

import pytest

from common.config import RunConfig

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "common": set(),
    "client": {"common"},
    "market": {"common"},
    "server": {"common", "market"},
    "datagen": {"common"},
    "report": {"common"},
    "experiments": {"common", "client", "market", "server", "datagen", "report"},
}


def imported_packages(path: Path) -> set[str]:
    """Top-level packages of this project that a module imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names & (ALLOWED.keys() | {"simulation"})


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_follow_the_layers(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        extra = imported_packages(path) - ALLOWED[package] - {package}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_only_the_training_side_imports_torch_at_import_time() -> None:
    """A market message needs no torch: it costs 2 CPU-seconds in each new process."""
    allowed = {"common/model.py", "client/training.py", "client/batches.py", "client/moments.py", "client/measuring.py",
               "client/device.py", "client/gating.py", "client/hindcast.py"}  # fmt: skip
    for package in ALLOWED:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            names = {a.name for n in top if isinstance(n, ast.Import) for a in n.names}
            names |= {n.module or "" for n in top if isinstance(n, ast.ImportFrom)}
            name = str(path.relative_to(ROOT))
            if name not in allowed:
                heavy = {n for n in names if n.split(".")[0] == "torch" or n in ("common.model", "client.training")}
                assert not heavy, f"{name} imports {heavy}"


def test_run_options_are_listed_once() -> None:
    """``flwr run`` can only override keys that pyproject.toml lists; they are the fields of RunConfig."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["flwr"]["app"]["config"] == RunConfig().flat()
    assert "federations" not in project["tool"]["flwr"], "flwr would rewrite pyproject.toml"


def test_modules_can_be_read_in_a_sitting() -> None:
    for package in ALLOWED:
        for path in (ROOT / package).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 340, path


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_can_be_imported(path: Path) -> None:
    """They are run by hand: what moves away under them should not be found out by a user."""
    importlib.import_module(f"benchmarks.{path.stem}")
