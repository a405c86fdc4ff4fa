"""A year of half-hourly data per home: made from a seed, or imported from files.

:func:`datagen.community.prepare_homes` is the one entry point for a run.
"""
