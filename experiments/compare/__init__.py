"""A declared grid of training runs, scored like ``forecast-benchmark``, in one table with intervals over seeds."""
