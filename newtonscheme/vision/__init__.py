"""Frames in, ranked tracks out: the only home of OpenCV and PyAV."""
