"""How good the forecasts are: every forecaster on the same homes, origins and horizons, and what others would use."""
