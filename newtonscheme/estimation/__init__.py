"""From a track to a judged pattern and its forecast: features, recognition, fits, stability."""
