"""The judge of the tracker: perfect tracks have perfect marks, shifted ones their shift; clips are the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.benchmark import vision
from newtonscheme.benchmark.publish import check_alone
from newtonscheme.benchmark.vision import STRATA, Clip, Judged, VisionPlan, judge_clip, run_vision, summarise_vision
from newtonscheme.benchmark.vision_measures import FoundTrack, TrueBall, add_marks, describe_marks, judge_tracks, share_interval
from newtonscheme.benchmark.vision_rivals import Hint, list_rivals
from newtonscheme.benchmark.vision_tables import vision_markdown, write_vision
from newtonscheme.cli import main
from newtonscheme.errors import UsageError

FRAMES = np.arange(20)


def ball(offset: float = 0.0, radius: float = 8.0) -> TrueBall:
    path = np.column_stack([10.0 * FRAMES + 50.0, 100.0 + offset + 0.2 * FRAMES**2])
    return TrueBall(centre_px=path, radius_px=np.full(20, radius), visible=np.ones(20, dtype=bool))


def on(truth: TrueBall, shift: tuple[float, float] = (0.0, 0.0), rows: slice = slice(None), sigma: float = 0.5) -> FoundTrack:
    centre = truth.centre_px[rows] + shift
    return FoundTrack(frame=FRAMES[rows], centre_px=centre, covariance_px=np.tile(sigma**2 * np.eye(2), (len(centre), 1, 1)))


def test_a_perfect_track_has_perfect_marks() -> None:
    marks = describe_marks([judge_tracks([on(ball())], [ball()])])
    assert (marks["precision"], marks["recall"], marks["false_tracks"], marks["led_astray"], marks["rms_px"]) == (1.0, 1.0, 0, 0, 0.0)


@given(u=st.floats(-4, 4), v=st.floats(-4, 4))
def test_a_shifted_track_errs_by_its_shift(u: float, v: float) -> None:
    marks = describe_marks([judge_tracks([on(ball(), (u, v), sigma=2.0)], [ball()])])
    assert marks["recall"] == 1.0
    assert marks["rms_px"] == pytest.approx(np.hypot(u, v), abs=1e-9)
    assert marks["sigma_ratio"] == pytest.approx(np.hypot(u, v) / 2.0 / np.sqrt(2), abs=1e-9)


def test_errors_of_the_stated_size_are_honest() -> None:
    rng, truth = np.random.default_rng(3), ball()
    clips = []
    for _ in range(100):
        track = on(truth, sigma=0.5)
        clips.append(judge_tracks([FoundTrack(frame=FRAMES, centre_px=truth.centre_px + rng.normal(0, 0.5, (20, 2)),
                                              covariance_px=track.covariance_px)], [truth]))  # fmt: skip
    assert describe_marks(clips)["sigma_ratio"] == pytest.approx(1.0, abs=0.05)


def test_half_a_track_finds_half_of_the_frames() -> None:
    marks = describe_marks([judge_tracks([on(ball(), rows=slice(0, 10))], [ball()])])
    assert (marks["recall"], marks["precision"]) == (0.5, 1.0)


def test_frames_that_hide_the_ball_need_no_sample() -> None:
    truth = ball()
    hidden = TrueBall(centre_px=truth.centre_px, radius_px=truth.radius_px, visible=FRAMES < 10)
    assert describe_marks([judge_tracks([on(truth, rows=slice(0, 10))], [hidden])])["recall"] == 1.0


def test_a_track_elsewhere_is_false_and_leads_astray_where_it_comes_first() -> None:
    truth = ball()
    last = describe_marks([judge_tracks([on(truth), on(truth, (0, 60))], [truth])])
    first = describe_marks([judge_tracks([on(truth, (0, 60)), on(truth)], [truth])])
    assert (last["false_tracks"], last["led_astray"], last["precision"]) == (1, 0, 0.5)
    assert (first["false_tracks"], first["led_astray"]) == (1, 1)


def test_nothing_found_is_blind_and_has_no_precision() -> None:
    marks = describe_marks([judge_tracks([], [ball()])])
    assert (marks["blind"], marks["precision"], marks["recall"], marks["rms_px"]) == (1, None, 0.0, None)


def test_two_balls_are_both_to_be_found() -> None:
    one, other = ball(), ball(90.0)
    assert describe_marks([judge_tracks([on(one)], [one, other])])["recall"] == 0.5
    both = describe_marks([judge_tracks([on(one), on(other)], [one, other])])
    assert (both["recall"], both["false_tracks"], both["rms_px"]) == (1.0, 0, 0.0)


def test_marks_add_up() -> None:
    clips = [judge_tracks([on(ball())], [ball()]), judge_tracks([], [ball()])]
    total = add_marks(clips)
    assert (total.clips, total.visible, total.found, total.blind) == (2, 40, 20, 1)


def test_the_interval_of_a_share_holds_it() -> None:
    assert share_interval(0, 300)[0] == 0.0
    assert share_interval(0, 300)[1] == pytest.approx(1 - 0.025 ** (1 / 300))
    assert share_interval(5, 5)[1] == 1.0
    low, high = share_interval(3, 50)
    assert low < 0.06 < high


@pytest.mark.slow
def test_a_clip_is_judged_for_every_tracker_that_is_here() -> None:
    judged = judge_clip(Clip(stratum=0, index=0, seed=5))
    assert set(judged.marks) == {"newton_scheme", *list_rivals()[0]}
    ours = describe_marks([judged.marks["newton_scheme"]])
    assert ours["recall"] > 0.9
    assert ours["rms_px"] < 0.3 * 15.0
    document = summarise_vision([judged, judged], plan="quick", seed=5) | {"elapsed_s": 1.0}
    text = vision_markdown(document)
    assert "| ordinary (2) |" in text
    assert "| all (2) |" in text
    json.dumps(document, allow_nan=False)


def test_who_is_missing_is_said_with_how_to_get_it() -> None:
    rivals, left_out = list_rivals()
    assert set(rivals) | set(left_out) == {"mog2", "knn", "hough_circles", "simple_blob", "csrt", "trackpy"}
    assert all("pip install" in reason for reason in left_out.values())


def test_the_files_of_a_run_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {"newton_scheme": judge_tracks([on(ball())], [ball()])}
    monkeypatch.setattr(vision, "judge_clip", lambda clip: Judged(stratum=clip.stratum, marks=marks))
    document = run_vision(VisionPlan("quick", clips=2, brief=True), workers=1)
    assert document["wrong_tracks"]["clips"] == 2 * sum(stratum.quick for stratum in STRATA)
    write_vision(document, tmp_path)
    assert json.loads((tmp_path / "vision.json").read_text())["schema"] == "newtonscheme.vision/1"
    with pytest.raises(UsageError, match="--force"):
        write_vision(document, tmp_path)


def test_the_command_prints_the_tables_and_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plans = []

    def few(plan: VisionPlan, **_: object) -> dict[str, object]:
        plans.append(plan.name)
        marks = {"newton_scheme": judge_tracks([on(ball(), (3.0, 4.0))], [ball()]), "mog2": judge_tracks([], [ball()])}
        return summarise_vision([Judged(stratum=1, marks=marks)], plan=plan.name, seed=0) | {"elapsed_s": 2.0}

    monkeypatch.setattr(vision, "run_vision", few)
    assert main(["benchmark", "vision", "--quick", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "| clutter (1) | 5 / 5 | – |" in text
    assert (tmp_path / "out" / "vision.md").read_text() == text
    assert main(["benchmark", "vision", "--quick", "--out", str(tmp_path / "out")]) == 2
    assert plans == ["quick"]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--quick and --full"):
        check_alone("vision", quick=True, full=True, out=None, seed=0, force=False)
    (tmp_path / "vision.json").write_text("old")
    with pytest.raises(UsageError, match="--force"):
        check_alone("vision", quick=True, full=False, out=str(tmp_path), seed=0, force=False)


@pytest.mark.parametrize("name", list(list_rivals()[0]))
def test_a_rival_finds_a_ball_before_a_plain_wall(name: str, tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "plain.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (320, 240))
    truth = ball(radius=10.0)
    grain = np.random.default_rng(0).normal(90.0, 1.0, (20, 240, 320, 3))
    for k, image in enumerate(grain.astype(np.uint8)):
        writer.write(cv2.circle(image, tuple(round(16 * each) for each in truth.centre_px[k]), 160, (230, 230, 230), -1, cv2.LINE_AA, 4))
    writer.release()
    hint = Hint(radius_px=10.0, first_frame=0, first_centre_px=truth.centre_px[0], first_radius_px=10.0)
    marks = describe_marks([judge_tracks(list_rivals()[0][name](path, hint), [truth])])
    assert marks["recall"] >= 0.5
    assert marks["rms_px"] < 3.0


def test_the_published_tables_are_those_of_the_published_results() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    document = json.loads((docs / "vision.json").read_text(encoding="utf-8"))
    assert (docs / "vision.md").read_text(encoding="utf-8") == vision_markdown(document)
