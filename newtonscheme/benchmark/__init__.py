"""`ns benchmark`: every forecaster on the same tracks, the same horizons and the same measures, with an automatic check for leaks."""
