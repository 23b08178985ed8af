"""Scenes and films with known truth, drawn by every pattern's own `draw` and by motions that no pattern owns."""
