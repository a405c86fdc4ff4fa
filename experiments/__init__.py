"""Experiments: what is run to compare, beside the trading day; like ``simulation.py`` it may use every package."""
