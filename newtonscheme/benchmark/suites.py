"""Tracks to be judged on, made from seeds that no training has: ordinary ones, and ones beyond what any training saw.

*Simulated* motions are drawn by every pattern's own `draw` before random cameras, their drag and lift following published laws as often as
a fit's constants, with one kind of noise each. *Shifted* ones are the same with one thing outside the range that training draws from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np

from ..baselines.forecaster import Question
from ..camera import assume_camera
from ..physics.models import PATTERNS
from ..synth.scene import CORRELATIONS, Scene, TrackNoise, draw_noise, draw_scene, film
from ..synth.seeds import whole_seed
from .cases import LEAST_SAMPLES, OBSERVED_SHARE, SUITES, Case, Made, Recipe, Suite, Truth, count_seen, cut_between
from .shifts import SHIFTS, draw_shifted

NOISES = ("white", "correlated", "outliers", "jittered_clock", "gaps")
OUTLIER_SHARE = 0.05
JITTER_RANGE = (0.01, 0.05)
"""Of a frame: what the clocks of phones with a variable rate do (as `draw_noise`, never zero)."""
MISSING_RANGE, LONGEST_GAP = (0.05, 0.2), 0.2
"""Shares of the seen frames that are lost one by one and in a row."""
SHARES = (0.25, 0.5, 0.75)
"""Observed shares of the error against what was seen."""
MOST_DRAWS = 60
"""Of a motion with enough frames for the smallest share."""


def list_recipes(
    suite: Suite, count: int, *, seed: int = 0, patterns: Sequence[str] = PATTERNS, all_shares: int = 0, folder: str | None = None
) -> tuple[Recipe, ...]:
    """``count`` recipes of each pattern (of a real folder: of every file in the manifest), the kinds in turn.

    Args:
        suite: one of `SUITES`.
        count: motions of each pattern.
        seed: the benchmark's own.
        patterns: which.
        all_shares: how many of each pattern's are asked at all of `SHARES` (simulated only).
        folder: of real files; none gives none.
    """
    if suite == "real":
        from .real import list_real

        return list_real(folder, count)
    recipes = []
    for pattern in patterns:
        kinds = {"simulated": NOISES, "shifted": SHIFTS.get(pattern, ()), "video": ("film",)}[suite]
        for index in range(count if kinds else 0):
            shares = SHARES if suite == "simulated" and index < all_shares else (OBSERVED_SHARE,)
            recipes.append(Recipe(suite=suite, pattern=pattern, kind=kinds[index % len(kinds)], index=index, seed=seed, shares=shares))
    return tuple(recipes)


def make_cases(recipe: Recipe) -> Made:
    """The cases of a recipe: the same recipe gives the same cases. A film is rendered and tracked, or a real one read, on the way."""
    if recipe.suite == "real":
        from .real import make_real

        return make_real(recipe)
    if recipe.suite == "video":
        from .films import make_films

        return make_films(recipe, recipe_seed(recipe))
    rng = np.random.default_rng(recipe_seed(recipe))
    scene = _draw_long_enough(rng, recipe)
    noise_seeds = rng.spawn(len(recipe.shares))
    cases = [ask(scene, recipe, share, chance) for share, chance in zip(recipe.shares, noise_seeds, strict=True)]
    return Made(tuple(cases))


def recipe_seed(recipe: Recipe) -> int:
    """The whole seed of a drawn recipe: it leads with the tests' own word, and names make the rest so that a new pattern moves no other's."""
    words = (SUITES.index(recipe.suite), crc32(recipe.pattern.encode()), crc32(recipe.kind.encode()), recipe.index)
    return whole_seed("test", recipe.seed, *words)


def _draw_long_enough(rng: np.random.Generator, recipe: Recipe) -> Scene:
    """A motion that shows enough frames at the smallest share; of those that never do, the last drawn at the most usual one."""
    for _ in range(MOST_DRAWS):
        scene = draw_scene(rng, recipe.pattern) if recipe.suite == "simulated" else draw_shifted(rng, recipe.pattern, recipe.kind)
        if count_seen(scene.times, min(recipe.shares)) >= LEAST_SAMPLES:
            return scene
    raise ValueError(f"no motion of {recipe.name} with {LEAST_SAMPLES} frames seen in {MOST_DRAWS} draws")


def ask(scene: Scene, recipe: Recipe, share: float, rng: np.random.Generator) -> Case:
    """The first part of a scene as a tracker would deliver it, and the rest as the answer. Only the first part is ever filmed."""
    seen = count_seen(scene.times, share)
    first = _first_frames(scene, seen)
    noise = _draw_noise(rng, first, recipe.kind if recipe.suite == "simulated" else None)
    track = film(first, rng, noise)
    width, height = scene.view.size_px
    return Case(
        name=f"{recipe.name}@{share:g}", suite=recipe.suite, pattern=recipe.pattern, kind=recipe.kind,
        question=Question(observed=track, t=scene.times[seen:], camera=assume_camera(width, height)),
        truth_px=scene.centre_px[seen:], judge_sigma_px=np.zeros((len(scene) - seen, 2)), last_px=scene.centre_px[seen - 1],
        cut=cut_between(scene.times, share), fps=scene.fps, observed_share=share,
        truth=describe_scene(scene), seed=recipe_seed(recipe),
    )  # fmt: skip


def describe_scene(scene: Scene) -> Truth:
    """The truth of a scene, whose values are those of time 0 (of a shifted one the first exposure's beginning)."""
    view = scene.view
    return Truth(
        pattern=str(scene.pattern), t=0.0, values=dict(scene.values), anchor_px=view.anchor_px, px_per_m=view.px_per_m,
        focal_px=view.focal_px, pitch=view.pitch, roll=view.roll,
    )  # fmt: skip


def _first_frames(scene: Scene, n: int) -> Scene:
    columns = ("times", "position", "centre_px", "radius_px", "velocity_px", "acceleration_px", "visible", "governed")
    return replace(scene, **{name: getattr(scene, name)[:n] for name in columns})


def _draw_noise(rng: np.random.Generator, scene: Scene, kind: str | None) -> TrackNoise:
    """Noise of one kind and no other, of ordinary size; of a mixture where no kind is asked for."""
    mixture = draw_noise(rng, scene)
    if kind is None:
        return mixture
    pure = replace(mixture, correlation=0.0, outlier_share=0.0, clock_jitter=0.0, missing_share=0.0, gap=0)
    if kind == "correlated":
        return replace(pure, correlation=float(rng.choice(CORRELATIONS)))
    if kind == "outliers":
        return replace(pure, outlier_share=OUTLIER_SHARE)
    if kind == "jittered_clock":
        return replace(pure, clock_jitter=float(rng.uniform(*JITTER_RANGE)) / scene.fps)
    if kind == "gaps":
        return replace(pure, missing_share=float(rng.uniform(*MISSING_RANGE)), gap=int(rng.integers(0, int(LONGEST_GAP * len(scene)) + 1)))
    return replace(pure, spread=0.0, stretch=1.0)
