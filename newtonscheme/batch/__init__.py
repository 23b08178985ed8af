"""Many videos: each in a process of its own, one report a clip, one table of all; killed at any moment, it goes on where it was."""
