"""Forces and the solution of their equations: metres, seconds and kilograms, never a pixel."""
