"""Do generated homes pass for real?  Statistics, a two-sample test, and a forecaster that moves from one to the other.

``python -m datagen validate --against PATH`` is :func:`datagen.validation.command.validate`; its pieces work on
:class:`datagen.validation.population.Population` and can be called one by one.
"""
