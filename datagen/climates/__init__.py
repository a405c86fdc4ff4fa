"""Climates as data: one JSON file, with the source of every figure."""
