from __future__ import annotations

from typer.testing import CliRunner

from common.errors import UserError
from datagen.__main__ import app


def test_generate_and_describe(tmp_path):
    runner = CliRunner()
    made = runner.invoke(app, ["generate", "--homes", "2", "--out", str(tmp_path / "a"), "--seed", "3"])
    assert made.exit_code == 0 and made.output.startswith("2 homes, 2024-06-18 to 2025-06-21")
    shown = runner.invoke(app, ["describe", str(tmp_path / "a")])
    assert shown.exit_code == 0 and "home-00001" in shown.output


def test_describe_names_an_empty_folder(tmp_path):
    result = CliRunner().invoke(app, ["describe", str(tmp_path)])
    assert isinstance(result.exception, UserError) and "no homes here" in str(result.exception)
