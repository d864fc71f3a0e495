"""The reader and the writer of STAViS's layout agree, and neither believes what a file says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookhear import metrics
from lookhear.data.readers.fixated import DENSITY_SIGMA_PER_WIDTH, count_fixations, density_of
from lookhear.data.readers.stavis import (
    EyeTrackedClip,
    EyeTrackedSet,
    Fold,
    read_stavis,
    write_fold,
    write_gaze,
    write_sound,
)
from lookhear.errors import LookhearError
from lookhear.media.stills import encode_jpeg

HEIGHT, WIDTH, FRAMES = 54, 96, 3
# What JPEG's quantisation may add to or take from a smooth map.
JPEG_ERROR = 4 / 255


def picture(frame: int) -> NDArray[np.uint8]:
    """A red picture, brighter from frame to frame."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 0] = 100 + 50 * frame
    return pixels


def looks(frame: int) -> NDArray[np.float64]:
    """Where fifteen people look: about one place, which moves."""
    chance = np.random.default_rng(frame)
    return chance.normal((30 + 10 * frame, 20), 3, (15, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for frame in range(FRAMES):
        write_gaze(tmp_path, "world", "a clip", frame, picture(frame), looks(frame))
    write_sound(tmp_path, "world", "a clip", np.linspace(-1, 1, 500, dtype=np.float32), 44_100)
    write_fold(tmp_path, "world", "train", 1, [("a clip", FRAMES, 25)])
    write_fold(tmp_path, "world", "test", 2, [("a clip", FRAMES, 25)])
    return tmp_path


def only_clip(root: Path) -> EyeTrackedClip:
    ((clip,),) = (of_one.clips for of_one in read_stavis(root))
    return clip


def read_lists(root: Path, **lists: bytes | str) -> EyeTrackedSet:
    """Write fold lists by name, `db_list_<name>_fps.txt`, and read them."""
    (root / "fold_lists").mkdir(exist_ok=True)
    for name, content in lists.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (root / "fold_lists" / f"db_list_{name}_fps.txt").write_bytes(raw)
    (of_db,) = read_stavis(root)
    return of_db


def test_what_is_written_reads_back(root):
    clip = only_clip(root)
    assert (clip.database, clip.name, clip.frame_count, clip.frame_rate) == (
        "world",
        "a clip",
        FRAMES,
        25,
    )
    assert clip.folds == (Fold("train", 1), Fold("test", 2))
    for frame in range(FRAMES):
        x, y = looks(frame).T
        counts = count_fixations(x, y, HEIGHT, WIDTH)
        assert counts.sum() == 15
        np.testing.assert_array_equal(clip.fixation_map(frame), counts)
        np.testing.assert_allclose(clip.density(frame), density_of(counts), atol=JPEG_ERROR)
        assert clip.density(frame).dtype == np.float32


def test_files_are_where_the_layout_has_them(root):
    written = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    numbers = ("00001", "00002", "00003")
    assert written == {
        *(f"video_frames/world/a clip/img_{n}.jpg" for n in numbers),
        *(f"annotations/world/a clip/fixMap_{n}.mat" for n in numbers),
        *(f"annotations/world/a clip/maps/eyeMap_{n}.jpg" for n in numbers),
        "video_audio/world/a clip/a clip.wav",
        "fold_lists/world_list_train_1_fps.txt",
        "fold_lists/world_list_test_2_fps.txt",
    }
    assert (root / "fold_lists/world_list_train_1_fps.txt").read_text() == "a clip 3 25\n"


def test_frames_are_rgb_and_in_order(root):
    for frame in range(FRAMES):
        read = cv2.imread(str(only_clip(root).frame_path(frame)), cv2.IMREAD_COLOR_RGB)
        assert np.abs(read.mean((0, 1)) - (100 + 50 * frame, 0, 0)).max() < 3


def test_sound_is_16_bit_at_its_rate(root):
    rate, samples = scipy.io.wavfile.read(only_clip(root).sound)
    assert (rate, samples.dtype, len(samples)) == (44_100, np.int16, 500)
    assert (samples[0], samples[-1]) == (-32767, 32767)


def test_a_clip_without_sound_has_none(root):
    (root / "video_audio/world/a clip/a clip.wav").unlink()
    assert only_clip(root).sound is None


def test_the_same_truth_makes_the_same_bytes(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_gaze(other, "world", "a clip", 1, picture(1), looks(1))
    for path in other.rglob("*.*"):
        assert path.read_bytes() == (root / path.relative_to(other)).read_bytes()
    title = (root / "annotations/world/a clip/fixMap_00001.mat").read_bytes()[:116]
    assert title.rstrip() == b"MATLAB 5.0 MAT-file, fixations in each pixel"


def test_the_truth_scores_as_the_truth(root):
    """Metrics of the truth against itself are what they must be."""
    clip = only_clip(root)
    density = np.stack([clip.density(i) for i in range(FRAMES)])
    fixations = np.stack([clip.fixation_map(i) for i in range(FRAMES)])
    np.testing.assert_allclose(metrics.cc(density, density), np.ones(FRAMES))
    np.testing.assert_allclose(metrics.sim(density, density), np.ones(FRAMES))
    assert np.abs(metrics.kl(density, density)).max() < 1e-9
    assert metrics.auc_judd(density, fixations).min() > 0.9
    assert metrics.nss(density, fixations).min() > 1


def test_the_density_is_that_of_the_metrics():
    x, y = np.random.default_rng(0).uniform((0, 0), (96, 54), (40, 2)).T
    counts = count_fixations(x, y, 54, 96)
    expected = metrics.density(counts.astype(float), 96 * DENSITY_SIGMA_PER_WIDTH)
    np.testing.assert_allclose(density_of(counts), expected / expected.max(), atol=1e-6)


def test_nobody_looking_is_a_density_of_zeros(tmp_path):
    write_gaze(tmp_path, "db", "c", 0, picture(0), [])
    clip = EyeTrackedClip(tmp_path, "db", "c", 1, 25)
    assert not clip.fixation_map(0).any()
    assert not clip.density(0).any()


def test_looks_outside_the_picture_are_left_out(tmp_path):
    outside = [(-0.1, 5), (WIDTH, 5), (5, HEIGHT), (np.nan, 5)]
    write_gaze(tmp_path, "db", "c", 0, picture(0), [*outside, (WIDTH - 0.01, 7.9)])
    counts = EyeTrackedClip(tmp_path, "db", "c", 1, 25).fixation_map(0)
    assert counts.sum() == counts[7, WIDTH - 1] == 1


def test_a_density_is_read_as_the_file_has_it(tmp_path):
    ramp = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    clip = EyeTrackedClip(tmp_path, "db", "c", 1, 25)
    clip.density_path(0).parent.mkdir(parents=True)
    clip.density_path(0).write_bytes(encode_jpeg(ramp, 95))
    np.testing.assert_allclose(clip.density(0), ramp / 255, atol=JPEG_ERROR)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, bool])
def test_counts_of_any_kind_of_number_are_read(tmp_path, dtype):
    clip = EyeTrackedClip(tmp_path, "db", "c", 1, 25)
    clip.annotations.mkdir(parents=True)
    scipy.io.savemat(clip.fixation_path(0), {"eyeMap": np.eye(4).astype(dtype)})
    np.testing.assert_array_equal(clip.fixation_map(0), np.eye(4))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "not a MAT-file, or damaged"),
        (b"junk" * 99, "not a MAT-file, or damaged"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), "version 7.3"),
        ({"other": np.eye(4)}, "no variable eyeMap"),
        ({"eyeMap": "text"}, "not a map of numbers"),
        ({"eyeMap": np.zeros((2, 2, 2))}, "not a map of numbers"),
        ({"eyeMap": np.zeros((0, 0))}, "not a map of numbers"),
        ({"eyeMap": np.full((2, 2), np.nan)}, "no counts"),
        ({"eyeMap": np.full((2, 2), -1.0)}, "no counts"),
    ],
)
def test_what_is_no_fixation_map_is_one_line(tmp_path, content, reason):
    clip = EyeTrackedClip(tmp_path, "db", "c", 1, 25)
    clip.annotations.mkdir(parents=True)
    if isinstance(content, bytes):
        clip.fixation_path(0).write_bytes(content)
    elif content is not None:
        scipy.io.savemat(clip.fixation_path(0), content)
    with pytest.raises(LookhearError, match=reason) as caught:
        clip.fixation_map(0)
    assert str(clip.fixation_path(0)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_fixation_map_is_one_line(root):
    path = only_clip(root).fixation_path(0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LookhearError, match="damaged"):
        only_clip(root).fixation_map(0)


def test_a_missing_density_is_one_line(root):
    only_clip(root).density_path(2).unlink()
    with pytest.raises(LookhearError, match=r"eyeMap_00003\.jpg"):
        only_clip(root).density(2)


def test_lists_without_a_fold_are_fold_0(tmp_path):
    """DIEM's have none."""
    of_db = read_lists(tmp_path, train="one 10 30\n", test="two 20 29.97\r\n\r\n")
    assert [(clip.name, clip.frame_rate, clip.folds) for clip in of_db.clips] == [
        ("one", 30, (Fold("train", 0),)),
        ("two", 29.97, (Fold("test", 0),)),
    ]
    assert [clip.name for clip in of_db.clips if Fold("test", 0) in clip.folds] == ["two"]


def test_a_test_list_without_a_fold_is_all_that_is_tested(tmp_path):
    """As STAViS's evaluation has it of DIEM."""
    of_db = read_lists(tmp_path, train="one 10 30\n", test="two 20 30\nthree 5 30")
    assert [clip.name for clip in of_db.tested] == ["two", "three"]
    assert of_db.test_list == tmp_path / "fold_lists" / "db_list_test_fps.txt"
    assert not of_db.lacks_test_list


def test_of_folds_all_clips_are_tested(tmp_path):
    """The test lists of the other databases together hold all clips."""
    of_db = read_lists(tmp_path, train_1="one 10 30", test_1="two 20 30", test_2="one 10 30")
    assert of_db.tested == of_db.clips
    assert (of_db.test_list, of_db.lacks_test_list) == (None, False)


def test_a_test_list_that_should_be_there_is_missed(tmp_path):
    of_db = read_lists(tmp_path, train="one 10 30")
    assert (of_db.tested, of_db.lacks_test_list) == (of_db.clips, True)
    write_fold(tmp_path, "DIEM", "train", 1, [("a", 5, 25)])
    assert [of.lacks_test_list for of in read_stavis(tmp_path, "DIEM")] == [True]


def test_a_test_list_that_names_nothing_is_there_all_the_same(tmp_path):
    of_db = read_lists(tmp_path, train="one 10 30", test="two\n")
    assert of_db.tested == ()
    assert of_db.test_list is not None


def test_every_database_is_found_and_one_can_be_asked_for(tmp_path):
    for database in ("ETMD_av", "Coutrot_db1", "AVAD"):
        for fold in (1, 2):
            write_fold(tmp_path, database, "train", fold, [("a", 5, 25)])
    assert [s.database for s in read_stavis(tmp_path)] == ["AVAD", "Coutrot_db1", "ETMD_av"]
    assert [s.database for s in read_stavis(tmp_path, "ETMD_av")] == ["ETMD_av"]
    with pytest.raises(LookhearError, match="has no database DIEM; there is AVAD"):
        read_stavis(tmp_path, "DIEM")


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(LookhearError, match="fold_lists/<database>_list"):
        read_stavis(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("name", "not a name, a number of frames and a frame rate"),
        ("name 5", "not a name, a number of frames and a frame rate"),
        ("../../x 5 25", "the name is not a plain file name"),
        ("/etc 5 25", "the name is not a plain file name"),
        ("a\\b 5 25", "the name is not a plain file name"),
        (".. 5 25", "the name is not a plain file name"),
        ("a\0b 5 25", "the name is not a plain file name"),
        ("name 0 25", "the number of frames is not one of 1 to 1000000"),
        ("name -4 25", "the number of frames is not one of 1 to 1000000"),
        ("name 5.5 25", "the number of frames is not one of 1 to 1000000"),
        ("name 1e9 25", "the number of frames is not one of 1 to 1000000"),
        ("name 99999999999 25", "the number of frames is not one of 1 to 1000000"),
        ("name 5 0", "the frame rate is not a number of frames a second"),
        ("name 5 nan", "the frame rate is not a number of frames a second"),
        ("name 5 inf", "the frame rate is not a number of frames a second"),
        ("name 5 fast", "the frame rate is not a number of frames a second"),
        (b"n\xff 5 25", "not UTF-8 text"),
        ("good 5 25", "listed twice"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path, line, reason):
    raw = line if isinstance(line, bytes) else line.encode()
    of_db = read_lists(tmp_path, train_1=b"good 5 25\n" + raw + b"\nlast one 6 25")
    assert [clip.name for clip in of_db.clips] == ["good", "last one"]
    (fault,) = of_db.faults
    assert fault.what.startswith("db_list_train_1_fps.txt, line 2")
    assert fault.reason == reason


def test_lists_that_contradict(tmp_path):
    of_db = read_lists(tmp_path, train_1="a 5 25\nb 5 25", test_1="a 5 25", test_2="b 6 25")
    assert [(clip.name, clip.folds) for clip in of_db.clips] == [
        ("a", (Fold("train", 1),)),
        ("b", (Fold("train", 1),)),
    ]
    assert [(fault.what, fault.reason) for fault in of_db.faults] == [
        (
            "db_list_test_1_fps.txt, line 1, 'a'",
            "for testing, but for training in the same fold, too",
        ),
        ("db_list_test_2_fps.txt, line 1, 'b'", "other numbers than in an earlier list"),
    ]


WORDS = st.sampled_from(["a", "b", "..", "5", "25", "0", "x/y", "nan", "\0", "\xa0", "1_0"])
LINES = st.lists(
    st.one_of(st.lists(WORDS, max_size=4).map(lambda w: " ".join(w).encode()), st.binary()),
    max_size=8,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_every_line_of_a_fuzzed_list_is_a_clip_or_a_fault(tmp_path, lines):
    raw = b"\n".join(lines)
    try:
        of_db = read_lists(tmp_path, train_1=raw)
    except LookhearError as error:
        assert "not a list in UTF-8" in str(error)  # noqa: PT017
        return
    count = sum(bool(line.decode(errors="replace").strip()) for line in raw.split(b"\n"))
    assert len(of_db.clips) + len(of_db.faults) == count
    assert all(clip.frames.parent == tmp_path / "video_frames/db" for clip in of_db.clips)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("fractions", lambda density: density.astype(np.float64) / 255),
        ("fractions", lambda density: density.astype(np.float32) * 3.7),
        ("of its pixels", lambda density: density),
    ],
)
def test_a_density_in_place_of_fixations_is_refused(root, said, change):
    clip = only_clip(root)
    spread = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH)).astype(np.uint8)
    scipy.io.savemat(clip.fixation_path(0), {"eyeMap": change(spread)})
    with pytest.raises(LookhearError, match=said) as caught:
        clip.fixation_map(0)
    assert "is it the density?" in str(caught.value)


@pytest.mark.parametrize("kind", [np.float64, np.bool_, np.uint16])
def test_counts_of_any_type_are_counts(root, kind):
    clip = only_clip(root)
    before = clip.fixation_map(0)
    scipy.io.savemat(clip.fixation_path(0), {"eyeMap": before.astype(kind)})
    np.testing.assert_array_equal(clip.fixation_map(0) > 0, before > 0)
