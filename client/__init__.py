"""The household: its data, its forecaster, its battery, its decisions."""
