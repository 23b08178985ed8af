"""Every value that flows between the stages: frozen, shape-checked, read-only.

Letters for shapes: n samples, k state, m free parameters, h horizon samples, B batch.
Image: u right, v down, pixels, display coordinates, the centre of the first pixel is (0, 0).
World: metres, x right, y up, z towards the viewer (right-handed); the camera looks along -z when it is level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

Source = Literal["assumed", "measured", "derived", "catalogue", "user"]
TimeSource = Literal["timestamps", "fps_option", "container_rate", "track"]
ScaleSource = Literal["gravity", "object", "length", "user", "joint"]
Verdict = Literal["stable", "drifting", "broken", "too_short"]
Moment = Literal["longest", "latest", "ongoing"]
"""Which of a track's motions is asked about: the longest, or the one that goes on at its end if that is half as long; also one that has only
just begun there, if the others tell enough of it; that one, whatever it is."""
Stop = Literal["horizon", "ground", "left_frame"]

Progress = Callable[[str, int, int | None], None]
"""Called as ``progress(stage, done, total)``; total is None where it is not known."""


def _freeze(owner: object, name: str, value: ArrayLike, shape: tuple[int | None, ...], dtype: Any = np.float64) -> None:
    """Store ``value`` on a frozen dataclass as a read-only array of the given shape (None: any length)."""
    array = np.array(value, dtype=dtype)
    if array.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{type(owner).__name__}.{name}: expected shape {shape}, got {array.shape}")
    array.setflags(write=False)
    object.__setattr__(owner, name, array)


@dataclass(frozen=True, slots=True)
class Notice:
    """A machine-readable warning: something that the user should know and that did not stop the work."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its standard uncertainty, its unit and where it came from."""

    value: float
    sigma: float
    unit: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How a film of one rate fills a file of another: frame k shows picture floor(``rate`` k + ``phase``), with less than one picture a frame.

    ``prompt`` is the least that ``rate`` k + ``phase`` exceeds a whole number by, over the film's frames.
    """

    rate: float
    phase: float
    prompt: float = 0.0

    def repeats(self, k: Ints) -> Bools:
        """Which frames ``k`` (...,) show the picture of the frame before once more."""
        return np.asarray((self.rate * k + self.phase) % 1.0 >= self.rate)

    def lag(self, k: Ints) -> Floats:
        """(...,) by how many frames the pictures of frames ``k`` are shown later than they were taken; the promptest by none."""
        return np.asarray(((self.rate * k + self.phase) % 1.0 - self.prompt) / self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What was found in a video file after it was read.

    ``fps`` is the median rate of the time stamps in use (1/s); ``n_frames`` counts the frames that were decoded
    between ``--start`` and ``--end``; ``damage`` counts frames by kind of damage ("corrupt", "lost", "duplicate", "frozen"), and ``repeated``
    are the numbers of those that show the picture before them once more, which come in a ``cadence`` where the film was converted from a lower
    rate. ``focal_35mm`` (mm) is the focal length in 35 mm equivalent that the file names.
    """

    path: Path
    width_px: int
    height_px: int
    fps: float
    n_frames: int
    duration: float
    time_source: TimeSource
    sha256: str
    damage: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    repeated: tuple[int, ...] = ()
    cadence: Cadence | None = None
    focal_35mm: float | None = None

    @property
    def stored_fps(self) -> float:
        """Frames a second that the file holds (1/s), those that repeat others counted: what ``--fps`` says anew."""
        return self.n_frames / self.duration if self.duration > 0 else self.fps


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What an object looks like, averaged over its sharpest samples: the basis of the object's hypotheses.

    ``hue_deg`` (0..360), ``saturation`` and ``lightness`` (0..1) are medians over the object's disc in colour frames;
    ``colour_fractions`` maps basic colour words ("white", "black", "grey", "red", "orange", "yellow", "green", "blue",
    "brown", "pink", "purple") to the share of the disc's pixels; ``texture`` is the spread of lightness inside the disc after
    a smooth shading is taken out (0..1); ``elongation`` is the long over the short axis of its silhouette (1 for a disc).
    """

    hue_deg: float
    saturation: float
    lightness: float
    colour_fractions: Mapping[str, float]
    texture: float
    elongation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One object's path through the picture; frames in which it was not seen are absent rows.

    ``covariance_px`` (n, 2, 2) is the covariance in px^2 of the centre's error from sample to sample and ``radius_sigma_px`` the sigma of the
    apparent radius (NaN radius: not measured). ``score`` in 0..1 says how sure each sample is. ``velocity_px`` (n, 2), px/s, is read off
    motion blur where there is any (NaN rows: none). ``correlation_time`` (s) is that of the centre's error, 0 when it is white;
    ``slow_error`` the size of errors that change over the track's whole length, in the samples' own sigmas: shading, background and coding
    pull many neighbouring samples the same way; ``slow_radius_error_px`` is that of the radius. ``offset_error`` is the size of what is off by
    the same in all samples, in the same unit: it moves the path and bends nothing. ``to_reference`` (n, 3, 3) maps each frame's pixels to the
    first frame's when the camera moves; None for a static camera.
    ``smoothness`` ranks tracks: the higher, the more the path looks like one body under steady forces.
    """

    frame: Ints
    t: Floats
    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    score: Floats
    velocity_px: Floats | None = None
    correlation_time: float = 0.0
    slow_error: float = 0.0
    slow_radius_error_px: float = 0.0
    offset_error: float = 0.0
    to_reference: Floats | None = None
    appearance: Appearance | None = None
    smoothness: float = 0.0

    def __post_init__(self) -> None:
        n = len(self.t)
        _freeze(self, "frame", self.frame, (n,), np.int64)
        _freeze(self, "t", self.t, (n,))
        _freeze(self, "centre_px", self.centre_px, (n, 2))
        _freeze(self, "covariance_px", self.covariance_px, (n, 2, 2))
        _freeze(self, "radius_px", self.radius_px, (n,))
        _freeze(self, "radius_sigma_px", self.radius_sigma_px, (n,))
        _freeze(self, "score", self.score, (n,))
        if self.velocity_px is not None:
            _freeze(self, "velocity_px", self.velocity_px, (n, 2))
        if self.to_reference is not None:
            _freeze(self, "to_reference", self.to_reference, (n, 3, 3))
        if n > 1 and not np.all(np.diff(self.t) > 0):
            raise ValueError("Track.t: expected strictly increasing times")

    def __len__(self) -> int:
        return len(self.t)

    @property
    def sigma_px(self) -> Floats:
        """(n,) one sigma for each sample: the root mean square over the two axes of the centre's sigma from sample to sample."""
        return _mean_sigma(self.covariance_px)

    @property
    def total_covariance_px(self) -> Floats:
        """(n, 2, 2) covariance of all that the centre may be off by, slow errors and offset too."""
        return self.covariance_px * (1.0 + self.slow_error**2 + self.offset_error**2)

    @property
    def offset_px(self) -> float:
        """What all samples may be off by alike, px: `offset_error` of the typical sigma."""
        return self.offset_error * float(np.median(self.sigma_px)) if len(self.t) else 0.0

    @property
    def total_sigma_px(self) -> Floats:
        """(n,) one sigma for each sample of all that the centre may be off by."""
        return _mean_sigma(self.total_covariance_px)

    def select(self, rows: slice | Bools | Ints) -> Track:
        """The track of the chosen rows, everything else unchanged."""
        return Track(
            frame=self.frame[rows],
            t=self.t[rows],
            centre_px=self.centre_px[rows],
            covariance_px=self.covariance_px[rows],
            radius_px=self.radius_px[rows],
            radius_sigma_px=self.radius_sigma_px[rows],
            score=self.score[rows],
            velocity_px=None if self.velocity_px is None else self.velocity_px[rows],
            correlation_time=self.correlation_time,
            slow_error=self.slow_error,
            slow_radius_error_px=self.slow_radius_error_px,
            offset_error=self.offset_error,
            to_reference=None if self.to_reference is None else self.to_reference[rows],
            appearance=self.appearance,
            smoothness=self.smoothness,
        )


def _mean_sigma(covariance: Floats) -> Floats:
    """(n,) the root mean square over the two axes of (n, 2, 2)."""
    return np.sqrt(0.5 * np.trace(covariance, axis1=1, axis2=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMotion:
    """How a camera moved: ``to_first`` (n, 3, 3) maps the pixels of the frames ``index`` (n,) to those of the first one.

    ``error_px`` (n,) is the sigma of a mapped point.
    """

    index: Ints
    to_first: Floats
    error_px: Floats

    def __post_init__(self) -> None:
        n = len(self.index)
        _freeze(self, "index", self.index, (n,), np.int64)
        _freeze(self, "to_first", self.to_first, (n, 3, 3))
        _freeze(self, "error_px", self.error_px, (n,))

    def at(self, frame: int) -> Floats:
        """(3, 3) of a frame; of the nearest known one where it is not known itself."""
        after = int(np.searchsorted(self.index, frame))
        near = [k for k in (after - 1, after) if 0 <= k < len(self.index)]
        return np.asarray(self.to_first[min(near, key=lambda k: abs(int(self.index[k]) - frame))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """What vision returns: the video as it was read, the tracks it found (best first) and what it noticed.

    Where the camera moved and its motion was taken out, ``camera_motion`` is that motion, and tracks are in the first frame's coordinates.
    """

    video: Video
    tracks: tuple[Track, ...]
    notices: tuple[Notice, ...] = ()
    camera_motion: CameraMotion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """The camera as a prior: every number with the sigma that it is believed to (0: exactly, inf: not at all).

    ``pitch`` > 0 looks up, ``roll`` > 0 turns the camera counter-clockwise as seen from behind it (the picture then turns
    clockwise); both in radians. ``distortion`` holds OpenCV's (k1, k2, p1, p2, k3). An orthographic camera's
    focal length says only how much its picture of the upright plane narrows with pitch.
    """

    kind: Literal["pinhole", "orthographic"]
    focal_px: float
    focal_log_sigma: float
    principal_px: tuple[float, float]
    pitch: float = 0.0
    pitch_sigma: float = 0.0
    roll: float = 0.0
    roll_sigma: float = 0.0
    distortion: tuple[float, ...] = ()
    source: Source = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What physics may see of a track: directions and angular sizes, no pixels.

    ``plane`` (n, 2) are tangent-plane coordinates (x right, y up): the tangents of the angles off the optical axis. A body at
    depth Z metres sits at ``Z * plane`` metres. (An orthographic camera's "depth" is its metres for each unit of the plane.)
    ``angular_radius`` (n,) is the apparent radius in the same unit, NaN where it was not measured; ``sigma`` (n,) that of the plane.
    """

    t: Floats
    plane: Floats
    sigma: Floats
    angular_radius: Floats

    def __post_init__(self) -> None:
        n = len(self.t)
        _freeze(self, "t", self.t, (n,))
        _freeze(self, "plane", self.plane, (n, 2))
        _freeze(self, "sigma", self.sigma, (n,))
        _freeze(self, "angular_radius", self.angular_radius, (n,))


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter before the fit: sigma 0 is fixed, inf is free, anything between is a Gaussian prior (SI)."""

    value: float
    sigma: float
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One pattern's parameters before the fit, each fixed, prior-bound or free."""

    pattern: str
    entries: Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An object hypothesis: what it is, how likely that is by looks alone, and the mass and diameter that follow."""

    label: str | None
    probability: float
    diameter: Quantity | None
    mass: Quantity | None
    drag_coefficient: Quantity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The recogniser's word on a stretch of track: the best class (None: unknown) and all probabilities."""

    name: str | None
    probability: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise that a fit found: ``scale`` times the track's own sigmas, lag-one correlation, effective degrees of freedom.

    ``discrepancy_px`` is a smooth misfit that the noise does not explain.
    """

    scale: float
    correlation: float
    dof: float
    discrepancy_px: float = 0.0


def cosines_and_sines(rate_rps: Floats, t: Floats) -> Floats:
    """(n, 2 k) the cosines, then the sines, of turning at rates (k,) 1/s at times ``t`` (n,) s."""
    angle = 2.0 * np.pi * np.asarray(t)[:, None] * rate_rps
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


CLEAR_WOBBLE = 0.9
"""Probability from which a wobble is told."""


@dataclass(frozen=True, slots=True)
class Wobble:
    """What a spinning body's outline is off its centre of mass by: turning offsets at k rates ``rate_rps``, the same law on either axis.

    ``mean_px`` (2 k, 2) are the expected amplitudes of their cosines, then of their sines, from the track's first sample on;
    ``covariance_px`` (2 k, 2 k) is that of the amplitudes on an axis for a known path, and ``gain`` (2 k, n) what a pixel of a sample's residual
    adds to each; ``size_px`` (k,) the sigma on an axis that each rate was believed to have whatever the path; ``probability`` that there is a
    wobble worth knowing.
    """

    rate_rps: Floats
    size_px: Floats
    mean_px: Floats
    covariance_px: Floats
    gain: Floats
    probability: float

    def __post_init__(self) -> None:
        k = len(self.rate_rps)
        _freeze(self, "rate_rps", self.rate_rps, (k,))
        _freeze(self, "size_px", self.size_px, (k,))
        _freeze(self, "mean_px", self.mean_px, (2 * k, 2))
        _freeze(self, "covariance_px", self.covariance_px, (2 * k, 2 * k))
        _freeze(self, "gain", self.gain, (2 * k, None))

    @property
    def is_clear(self) -> bool:
        """Whether it is worth telling a person."""
        return self.probability > CLEAR_WOBBLE

    @property
    def main_rate_rps(self) -> float:
        """The rates' mean, each weighing as the offsets it is expected to make; 0 where none are."""
        power = self._powers()
        return float(power @ self.rate_rps / power.sum()) if power.sum() > 0 else 0.0

    @property
    def radius_px(self) -> float:
        """Root mean square of the expected offset's length."""
        return float(np.sqrt(self._powers().sum()))

    def _powers(self) -> Floats:
        """(k,) px^2: mean square length of the offset that each rate is expected to make."""
        return np.asarray(0.5 * (self.mean_px**2).reshape(2, -1, 2).sum(axis=(0, 2)))

    def expected_px(self, since: Floats) -> Floats:
        """(h, 2) px the expected offset at times ``since`` (h,) s after the track's first sample."""
        return np.asarray(cosines_and_sines(self.rate_rps, since) @ self.mean_px)

    def courses_px(self, since: Floats) -> Floats:
        """(h, 2 k) offsets of one sigma on an axis at times ``since`` (h,), whatever the path: their products are the covariance."""
        return np.asarray(cosines_and_sines(self.rate_rps, since) * np.tile(self.size_px, 2))

    def response(self, since: Floats) -> Floats:
        """(h, n) how the expected offset at times ``since`` (h,) s follows the residuals: the part of a moved path that it gives back."""
        return np.asarray(cosines_and_sines(self.rate_rps, since) @ self.gain)

    def sigma_px(self, since: Floats) -> Floats:
        """(h,) px its uncertainty on each axis for a known path."""
        forms = cosines_and_sines(self.rate_rps, since)
        return np.sqrt(np.maximum(np.einsum("hi,ij,hj->h", forms, self.covariance_px, forms), 0.0))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other stretches of a track tell of a fit's coordinates.

    Rows in sigmas: ``root`` (k, m) times the coordinates of ``names`` (m,), less ``target`` (k,). ``spans`` (s) are the stretches that tell it.
    """

    names: tuple[str, ...]
    root: Floats
    target: Floats
    spans: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        _freeze(self, "root", self.root, (len(self.target), len(self.names)))
        _freeze(self, "target", self.target, (len(self.target),))


NOTHING_ELSEWHERE = Elsewhere((), np.empty((0, 0)), np.empty(0), ())
NO_WOBBLE = Wobble(np.empty(0), np.empty(0), np.empty((0, 2)), np.empty((0, 0)), np.empty((0, 0)), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One pattern matched to one stretch of track through the camera.

    ``estimate`` (m,) and ``covariance`` (m, m) are in the fit's own coordinates, named by ``names``; ``parameters`` are the
    pattern's quantities in SI at the segment's start. ``residuals`` (n, 3) are observed minus fitted in u, v and radius (px);
    NaN where there was no measurement. ``evidence`` is the log of the Laplace-approximated marginal likelihood. The law moves the centre of
    mass; ``wobble`` is how the outline's centre, which a track has and a forecast is of, turns about it. ``elsewhere`` is what other
    stretches told it.
    """

    pattern: str
    setting: Setting
    body: Body
    camera: Camera
    track: Track
    names: tuple[str, ...]
    estimate: Floats
    covariance: Floats
    parameters: Mapping[str, Quantity]
    residuals: Floats
    weights: Floats
    noise: Noise
    evidence: float
    success: bool
    message: str
    at_bound: tuple[str, ...] = ()
    wobble: Wobble = NO_WOBBLE
    elsewhere: Elsewhere = NOTHING_ELSEWHERE

    def __post_init__(self) -> None:
        m, n = len(self.names), len(self.track)
        _freeze(self, "estimate", self.estimate, (m,))
        _freeze(self, "covariance", self.covariance, (m, m))
        _freeze(self, "residuals", self.residuals, (n, 3))
        _freeze(self, "weights", self.weights, (n, 3))

    @property
    def steady_residuals(self) -> Floats:
        """(n, 2) px: those of the centre of mass, as far as the wobble is known."""
        return self.residuals[:, :2] - self.wobble.expected_px(self.track.t - self.track.t[0])


@dataclass(frozen=True, slots=True)
class Belief:
    """One law and object that a track leaves possible: its fit, and how probable it is."""

    fit: Fit
    probability: float


@dataclass(frozen=True, slots=True)
class Contact:
    """Why a segment ended: "bounce", "release", "contact", "left_frame", "lost", "end_of_clip"."""

    kind: str
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of track [t0, t1] (s) and the pattern that holds over it, if any."""

    t0: float
    t1: float
    pattern: str | None
    fit: Fit | None
    end: Contact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A Noether charge along a segment: its balance with the non-conservative forces, sample by sample.

    ``imbalance`` (n,) is Q(t) - Q(0) - integral of the non-conservative power, ``sigma`` (n,) its propagated standard
    uncertainty; ``drift_sigma`` sums it up: the fitted drift over the segment in units of its own sigma.
    """

    name: str
    symmetry: str
    unit: str
    t: Floats
    imbalance: Floats
    sigma: Floats
    drift_sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """The verdict on a pattern over a track, with the reasons for it."""

    verdict: Verdict
    segments: tuple[Segment, ...]
    charges: tuple[Charge, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Where the object will be: the true centre with a marginal band for each coordinate and time."""

    t: Floats
    centre_px: Floats
    lower_px: Floats
    upper_px: Floats
    position: Floats
    level: float
    stop: Stop

    def __post_init__(self) -> None:
        h = len(self.t)
        _freeze(self, "t", self.t, (h,))
        _freeze(self, "centre_px", self.centre_px, (h, 2))
        _freeze(self, "lower_px", self.lower_px, (h, 2))
        _freeze(self, "upper_px", self.upper_px, (h, 2))
        _freeze(self, "position", self.position, (h, 3))


@dataclass(frozen=True, slots=True)
class Ruler:
    """One way of knowing the scale, from a fit that used no other ruler."""

    name: str
    px_per_m: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Pixels for each metre at the segment's middle sample, and the rulers that gave it."""

    px_per_m: float
    sigma: float
    source: ScaleSource
    rulers: tuple[Ruler, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where one quantity's variance comes from: ``shares`` by origin (pixels, clock, scale, view, model), which add up to one."""

    name: str
    unit: str
    sigma: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """How far a measured g is from the Earth's, and how the difference divides by origin under the uncertainties that were stated.

    ``parts`` are (share of g, its sigma); ``ruler_alone`` and ``clock_alone`` the shares by which one of these would have to be wrong.
    """

    share: float
    sigma: float
    parts: Mapping[str, tuple[float, float]]
    ruler_alone: float
    clock_alone: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiability:
    """What a clip determines: ``learned`` is the share of each prior's variance that it took away (1: all is measured, 0: nothing is).

    ``accounts`` say where the uncertainty of the quantities and of the forecast's end comes from, ``advice`` what would help most.
    """

    learned: Mapping[str, float]
    accounts: tuple[Account, ...]
    advice: tuple[str, ...]
    excess: Excess | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A forecast judged on samples it never saw (``--observe``).

    ``rms_share_of_path`` is rms_px over the length of the unseen path; ``coverage`` the share of samples inside the band after
    each sample's own sigma is added to it.
    """

    rms_px: float
    final_px: float
    rms_share_of_path: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no forecast: unknown_pattern | unstable | too_short | ..."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one prediction found: what `ns predict` prints, writes and draws.

    ``used`` (n,) marks the samples of ``track`` that the fit used. ``scored`` is the reference track that judged the forecast
    (``--observe`` only). ``status`` is "forecast" or "refused".
    """

    version: str
    status: Literal["forecast", "refused"]
    video: Video
    track: Track
    used: Bools
    other_tracks: tuple[Track, ...]
    pattern: Pattern
    evidence: Mapping[str, float]
    stability: Stability
    parameters: Mapping[str, Quantity]
    camera: Camera
    body: Body | None
    scale: Scale | None
    identifiability: Identifiability | None
    fit: Fit | None
    forecast: Forecast | None
    score: Score | None
    scored: Track | None
    refusal: Refusal | None
    notices: tuple[Notice, ...]
    seed: int
    elapsed_ms: Mapping[str, float]

    def __post_init__(self) -> None:
        _freeze(self, "used", self.used, (len(self.track),), np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that `predict` may be told, in the units of the command line; None is "not told".

    Rulers (``scale``, ``length``, ``diameter``, ``mass``) take a number or text: ``VALUE``, ``VALUE±SIGMA``, ``VALUE+-SIGMA``,
    ``VALUE±P%``.
    """

    json: str | None = None
    csv: str | None = None
    overlay: str | None = None
    plot: str | None = None
    observe: float | None = None
    horizon: float | None = None
    level: float = 0.9
    pattern: str | None = None
    object: str | None = None
    object_index: int | None = None
    mass: float | str | None = None
    diameter: float | str | None = None
    length: float | str | None = None
    scale: float | str | None = None
    g: float | str | None = None
    latitude: float | None = None
    height: float | None = None
    temperature: float | None = None
    pressure: float | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    roi: tuple[int, int, int, int] | None = None
    fov: float | None = None
    camera: str | None = None
    track: str | None = None
    size: tuple[int, int] | None = None
    units: str | None = None
    detector: str | None = None
    weights: str | None = None
    config: str | None = None
    seed: int = 0
    timeout: float | None = None
    force: bool = False
    quiet: bool = False
