"""Run options given as ``KEY=VALUE``, for those that have no option of their own on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from common.config import RunConfig
from common.errors import UserError


def with_settings(config: RunConfig, settings: Sequence[str]) -> RunConfig:
    """The run config with ``settings`` such as ``proximal-mu=0.1`` put into it, checked.

    Raises:
        UserError: no ``=``, an unknown key, or a value of another type or out of range.
    """
    kinds = {field.name.replace("_", "-"): type(field.default) for field in fields(RunConfig)}
    flat = config.flat()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in kinds:
            raise UserError(f"--set {setting}: expected KEY=VALUE, with a key of: {', '.join(sorted(kinds))}")
        try:
            flat[key] = _value(kinds[key], text)
        except ValueError:
            raise UserError(f"--set {setting}: the value must be of type {kinds[key].__name__}") from None
    return RunConfig.parse(flat)


def _value(kind: type, text: str) -> str | int | float | bool:
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    value: str | int | float = kind(text)
    return value
