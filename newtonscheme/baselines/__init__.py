"""Rivals on equal terms: a track and a horizon in, a forecast with a band out."""
