"""Training the recogniser: data, network, norm dynamics. The only part that needs torch."""
