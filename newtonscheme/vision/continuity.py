"""What of a track is one motion of its own time: no repeated pictures, no bridge over a pause, and a word where another object rivals it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..types import Bools, Notice, Track, Tracking
from .clock import LONGEST_LOSS

RIVAL_SHARE = 0.5
"""Another object that was seen in this share of the first one's frames could as well have been meant,"""
RIVAL_SMOOTHNESS = 0.8
"""if its path looks this much as good; flickering leaves and compression make tracks of a quarter of it."""


def settle_tracks(tracking: Tracking) -> Tracking:
    """The tracks without the samples of repeated pictures, which show an earlier time than their own, cut where the film was paused.

    A notice says so where a second object was seen for about as long as the first: which of them is meant, only the user knows.
    """
    repeated = np.array(tracking.video.repeated, dtype=np.int64)
    own = (track.select(~np.isin(track.frame, repeated)) if len(repeated) else track for track in tracking.tracks)
    tracks = tuple(part for track in own if len(track) for part in split_at_pauses(track))
    return replace(tracking, tracks=tracks, notices=(*tracking.notices, *_rivals(tracks)))


def split_at_pauses(track: Track) -> tuple[Track, ...]:
    """The track cut wherever the clock jumps from one frame to the next as it does when a recording is paused, longest part first.

    A track may go on where the object was out of sight for a while, but not where the film was: nobody saw what happened.
    """
    pace = np.diff(track.t) / np.diff(track.frame)
    return _split(track, pace > LONGEST_LOSS * np.median(pace)) if len(track) > 1 else (track,)


def split_at_gaps(track: Track) -> tuple[Track, ...]:
    """The track of a table cut wherever it has no sample for longer than all its samples take together, longest part first.

    A table has no film that ran on: over such a gap a law would be taken for granted, and integrated for longer than it was ever seen.
    """
    gaps = np.diff(track.t)
    return _split(track, gaps > len(track) * np.median(gaps)) if len(track) > 1 else (track,)


def _split(track: Track, cut: Bools) -> tuple[Track, ...]:
    """The parts between the cuts; ``cut`` (n - 1,) says between which neighbours."""
    edges = [0, *(np.flatnonzero(cut) + 1).tolist(), len(track)]
    return tuple(sorted((track.select(slice(first, last)) for first, last in pairwise(edges)), key=len, reverse=True))


def _rivals(tracks: Sequence[Track]) -> Iterator[Notice]:
    if not tracks:
        return
    first = tracks[0]
    others = sum(
        len(track) >= RIVAL_SHARE * len(first) and track.smoothness >= RIVAL_SMOOTHNESS * first.smoothness and _together(track, first)
        for track in tracks[1:]
    )
    if others:
        found = f"{others} other object{'s' if others > 1 else ''} moved for about as long as the one that is used"
        yield Notice("several_objects", f"{found}; choose with --object-index")


def _together(one: Track, other: Track) -> bool:
    """Whether both were in the picture at some time: a track that was cut is no rival of itself."""
    return bool(one.t[0] <= other.t[-1] and other.t[0] <= one.t[-1])
