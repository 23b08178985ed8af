"""Files, folders, globs and tables of jobs become a list of clips with their options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.batch.jobs import find_jobs
from newtonscheme.errors import UsageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def table(folder: Path, text: str) -> str:
    (folder / "jobs.csv").write_text(text)
    return str(folder / "jobs.csv")


def test_a_folder_is_searched_through_in_the_order_of_names_and_what_is_no_video_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP4", "a.mov", "sub/c.mkv", "notes.txt", ".hidden.mp4", ".trash/d.mp4")
    found = find_jobs([tmp_path], {})
    assert [Path(job.source).relative_to(tmp_path).as_posix() for job in found.jobs] == ["a.mov", "b.MP4", "sub/c.mkv"]
    assert found.passed_over == 2


def test_a_link_to_a_folder_is_not_followed_so_that_no_loop_is(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(find_jobs([tmp_path], {}).jobs) == 1


def test_a_clip_that_is_named_twice_is_one_job(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    assert len(find_jobs([tmp_path, tmp_path / "a.mp4", f"{tmp_path}/*.mp4", f"{tmp_path}/./a.mp4"], {}).jobs) == 1


def test_a_pattern_that_is_the_name_of_a_file_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].mp4", "a1.mp4")
    assert [job.source for job in find_jobs([f"{tmp_path}/a[1].mp4"], {}).jobs] == [f"{tmp_path}/a[1].mp4"]


@pytest.mark.parametrize("path", ["none/*.mp4", "empty"])
def test_nothing_found_is_a_usage_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="found no"):
        find_jobs([tmp_path / path], {})


def test_a_missing_file_is_a_job_which_then_fails_as_a_row(tmp_path: Path) -> None:
    assert len(find_jobs([tmp_path / "missing.mp4"], {}).jobs) == 1


NAMES = st.text(st.characters(exclude_characters="/\0*?[", exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_reports_of_different_clips_have_different_names_on_every_file_system(names: list[str]) -> None:
    found = find_jobs([f"/clips/{name}.mp4" for name in names], {})
    reports = [job.name for job in found.jobs]
    assert len({report.casefold() for report in reports}) == len(reports)
    assert all(len(f".{report}.json".encode()) < 255 and not report.startswith((".", "-")) and "/" not in report for report in reports)


def test_what_is_told_of_all_clips_does_not_change_the_name_of_a_report_but_what_a_table_tells_of_one_does(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    plain = find_jobs([tmp_path / "a.mp4"], {}).jobs[0]
    assert find_jobs([tmp_path / "a.mp4"], {"level": 0.5}).jobs[0].name == plain.name
    jobs = find_jobs([table(tmp_path, "video,start\na.mp4,0\na.mp4,1.5\n")], {}).jobs
    assert len({job.name for job in jobs}) == 2


def test_a_table_tells_of_each_clip_and_wins_over_what_is_told_of_all(tmp_path: Path) -> None:
    text = "\ufeffVideo,Length,object-index\r\na.mp4,0.5±0.001,\r\nsub/b.mp4,,1\r\n"
    first, second = find_jobs([table(tmp_path, text)], {"length": "2", "object_index": 3}).jobs
    assert (first.source, second.source) == (str(tmp_path / "a.mp4"), str(tmp_path / "sub" / "b.mp4"))
    assert first.told["length"] != second.told["length"]
    assert (first.told["object_index"], second.told["object_index"]) == (3, 1)


def test_a_table_of_tracks_has_paths_that_start_at_its_own_folder(tmp_path: Path) -> None:
    (job,) = find_jobs([table(tmp_path, "track,units\na.csv,px\n")], {}).jobs
    assert job.path is None
    assert job.source == str(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("film\na.mp4\n", "line 1: found no column 'video'"),
        ("video,colour\na.mp4,red\n", "line 1, column 2: found 'colour'"),
        ("video,video\na.mp4,b.mp4\n", "line 1, column 2: found 'video' twice"),
        ("video,json\na.mp4,x.json\n", "line 1, column 2: found 'json'"),
        ("video,start\na.mp4\n", "line 2: found 1 cells"),
        ("video,start\na.mp4,1\nb.mp4,soon\n", "line 3, column 'start': found 'soon'"),
        ("video,start\na.mp4,nan\n", "line 2, column 'start': found 'nan'"),
        ("video,object_index\na.mp4,1.5\n", "line 2, column 'object_index': found '1.5'"),
        ("video,level\na.mp4,2\n", "line 2: "),
        ("video,track\na.mp4,b.csv\n", "line 2: needed either"),
        ("video,length\na.mp4,=1+1\n", "line 2: "),
        ('video\n"a.mp4\n', "line 2: "),
        ("", "line 1: found no column"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_jobs([table(tmp_path, text)], {})
    assert f"jobs.csv, {place}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_bytes(b"video\n\xff\xfe\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        find_jobs([tmp_path / "jobs.csv"], {})
