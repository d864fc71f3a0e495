"""Models are scored on pictures and clips by one protocol, frame by frame, in little memory."""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from looked_at import HEIGHT, RATE, WIDTH, Film, disc, scored, write_watched
from lookhear.baselines import centre_prior
from lookhear.data.readers.stavis import read_stavis, write_gaze
from lookhear.errors import LookhearError
from lookhear.evaluation import scoring
from lookhear.evaluation.gaps import NO_MAP
from lookhear.evaluation.models import Note
from lookhear.evaluation.protocol import annotate, ever_fixated, protocol
from lookhear.evaluation.scoring import BROKEN, FLAT, Choices, score_models
from lookhear.evaluation.stimuli import PictureStimulus, Stimulus, StimulusSet, read_stimuli
from lookhear.maps import Maps
from lookhear.metrics import METRIC_NAMES, density, kl, nss
from osie_layout import make_osie, write_osie


class Given:
    """A model that is told its maps: what a function makes of a subject and a frame."""

    def __init__(self, of_frame: Any) -> None:
        self.of_frame = of_frame

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps | None]:
        del note
        for index in indices:
            yield self.of_frame(subject, index)


def bright(pixels: NDArray[np.uint8]) -> Maps:
    return np.asarray(cv2.GaussianBlur(pixels[..., 0].astype(np.float32), (0, 0), 3))


BRIGHT = Given(lambda subject, index: bright(subject.pixels(index)))
CENTRE = Given(lambda subject, _: centre_prior(*subject.size))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> StimulusSet:
    return read_stimuli(make_osie(tmp_path_factory.mktemp("pictures") / "osie", count=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of two databases, with two of one name."""
    root = tmp_path_factory.mktemp("clips") / "gaze"
    write_watched(root, {"a": 9, "b": 4})
    return write_watched(root, {"a": 3}, database="other")


@pytest.fixture(scope="module")
def clips(folder: Path) -> StimulusSet:
    return read_stimuli(folder, database="db")


def values_of(stimuli: StimulusSet, model: object, **choices: float) -> Any:
    values, notes = scored(stimuli, model, **choices)
    assert notes == ()
    return values


@pytest.mark.parametrize("kind", ["pictures", "clips"])
def test_a_model_that_finds_what_people_look_at_beats_the_centre(
    kind: str, request: pytest.FixtureRequest
) -> None:
    stimuli: StimulusSet = request.getfixturevalue(kind)
    assert stimuli.kind == kind
    models = {"centre": CENTRE, "bright": BRIGHT}
    scores = score_models(stimuli, models, Choices.of(stimuli))
    means = scores.means()
    assert [*means] == ["centre", "bright"]
    assert tuple(means["bright"]) == METRIC_NAMES
    for metric in ("AUC-J", "SIM", "s-AUC", "CC", "NSS"):
        assert means["bright"][metric] > means["centre"][metric]
    assert means["bright"]["KL"] < means["centre"]["KL"]


def test_values_are_those_of_the_metrics_at_the_size_of_the_picture(pictures: StimulusSet) -> None:
    values = values_of(pictures, BRIGHT)
    stimuli = pictures.subjects[2]
    assert isinstance(stimuli, PictureStimulus)
    maps = bright(stimuli.pixels(0))[None]
    counts = stimuli.picture.fixation_map()[None]
    assert values["NSS"][2] == pytest.approx((nss(maps, counts).item(),))
    # One degree of visual angle is 24 of OSIE's 800 columns.
    target = density(counts.astype(float), 0.03 * stimuli.size[1])
    assert values["KL"][2] == pytest.approx((kl(maps, target).item(),))


def test_frames_of_clips_are_scored_by_the_protocol_of_stavis(
    clips: StimulusSet, folder: Path
) -> None:
    values = values_of(clips, BRIGHT)
    for clip, of_clip in zip(read_stavis(folder, "db")[0].clips, range(2), strict=True):
        maps = np.stack(
            [bright(clips.subjects[of_clip].pixels(i)) for i in range(clip.frame_count)]
        )
        annotation = annotate(clip, range(clip.frame_count), ever_fixated(clip))
        for metric, expected in annotation.score(protocol(maps, HEIGHT, WIDTH)).items():
            np.testing.assert_allclose(values[metric][of_clip], expected, rtol=1e-9)


def test_the_smoothing_is_a_choice(clips: StimulusSet, pictures: StimulusSet) -> None:
    sharp, soft = (values_of(clips, BRIGHT, sigma=sigma)["NSS"] for sigma in (0, 2))
    assert soft == values_of(clips, BRIGHT)["NSS"] != sharp
    assert values_of(pictures, BRIGHT, sigma=0) == values_of(pictures, BRIGHT)
    assert values_of(pictures, BRIGHT, sigma=2) != values_of(pictures, BRIGHT)


def test_of_every_so_many_frames_the_middle_one_is_scored(clips: StimulusSet) -> None:
    every = values_of(clips, BRIGHT)["NSS"]
    some = values_of(clips, BRIGHT, every=3)["NSS"]
    assert some == (every[0][1::3], every[1][1::3])
    # Of a clip that is shorter than that, the last.
    far = score_models(clips, {"m": BRIGHT}, Choices.of(clips, every=10))
    assert [of.times for of in far.subjects] == [(5 / RATE,), (3 / RATE,)]


def test_the_other_fixations_are_those_of_all_other_pictures(tmp_path: Path) -> None:
    """A map that is high at this picture's fixations, or everyone's, tells s-AUC what is what."""
    root = write_osie(
        tmp_path, {"a.jpg": [[(5.5, 5.5)]], "b.jpg": [[(30.5, 5.5)]], "c.jpg": [[(30.5, 20.5)]]}
    )
    stimuli = read_stimuli(root)
    places = np.zeros((30, 40), np.float32)
    places[5, 5] = places[5, 30] = places[20, 30] = 1
    own = Given(lambda subject, _: subject.picture.fixation_map().astype(np.float32))
    assert values_of(stimuli, own)["s-AUC"] == ((1,), (1,), (1,))
    assert values_of(stimuli, Given(lambda *_: places))["s-AUC"] == ((0.5,), (0.5,), (0.5,))


SIZES = [("a.png", 30, 40), ("b.png", 24, 20), ("c.png", 30, 40), ("d.png", 12, 50)]


def test_pictures_of_different_sizes_keep_their_order(tmp_path: Path) -> None:
    rgb = {name: np.zeros((h, w, 3), np.uint8) for name, h, w in SIZES}
    root = write_osie(
        tmp_path, {name: [[(w * 0.3, h * 0.6), (w * 0.5, h * 0.2)]] for name, h, w in SIZES}, rgb
    )
    stimuli = read_stimuli(root)
    together = values_of(stimuli, CENTRE)
    assert [of.name for of in stimuli.subjects] == [name for name, *_ in SIZES]
    for i, of in enumerate(stimuli.subjects):
        maps = centre_prior(*of.size)[None]
        expected = nss(maps, of.picture.fixation_map()[None])  # type: ignore[attr-defined]
        assert together["NSS"][i] == pytest.approx((expected.item(),))


def test_a_picture_nobody_looked_at_is_left_out_of_the_means(tmp_path: Path) -> None:
    root = write_osie(tmp_path, {"a.jpg": [[(5, 5)]], "b.jpg": [[]], "c.jpg": [[(20, 15)]]})
    stimuli = read_stimuli(root)
    scores = score_models(stimuli, {"m": CENTRE}, Choices.of(stimuli))
    ((first,), (second,), (third,)) = scores.values["m"]["NSS"]
    assert math.isnan(second)
    assert scores.means()["m"]["NSS"] == pytest.approx((first + third) / 2)
    read = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert read["values"]["m"]["NSS"][1] == [None]


def test_pictures_nobody_looked_at_are_counted(tmp_path: Path) -> None:
    root = write_osie(tmp_path, {"a.jpg": [[(5, 5)]], "b.jpg": [[]], "c.jpg": [[(20, 15)]]})
    values, notes = scored(read_stimuli(root), CENTRE)
    assert notes == ("Nobody looked at 1 of 3 pictures: all metrics leave them out",)
    assert all(math.isnan(of_pictures[1][0]) for of_pictures in values.values())


@pytest.fixture
def unwatched(tmp_path: Path) -> StimulusSet:
    """A clip of six frames, of which nobody looked at one, in files."""
    root = write_watched(tmp_path / "gaze", {"a": 6})
    write_gaze(root, "db", "a", 3, np.zeros((HEIGHT, WIDTH, 3), np.uint8), [])
    return read_stimuli(root)


def test_the_sim_of_a_frame_nobody_looked_at_is_nought_as_stavis_has_it(
    unwatched: StimulusSet,
) -> None:
    """Its code intersects the map with nothing, and averages over what is a number."""
    broken = Given(lambda *_: np.full((9, 9), np.nan))
    models = {"m": CENTRE, "nan": broken, "people": None}
    scores = score_models(unwatched, models, Choices.of(unwatched))
    for of_model in scores.values.values():
        assert of_model["SIM"][0][3] == 0
        for metric in {*METRIC_NAMES} - {"SIM"}:
            assert math.isnan(of_model[metric][0][3]), metric
            assert not math.isnan(of_model[metric][0][2]), metric
    others = [value for frame, value in enumerate(scores.values["m"]["SIM"][0]) if frame != 3]
    assert scores.means()["m"]["SIM"] == pytest.approx(np.mean(others) * 5 / 6)
    assert scores.notes[0] == (
        "Nobody looked at 1 of 6 frames: SIM is 0, as STAViS has it; the other metrics leave them "
        "out"
    )


def test_only_frames_that_are_scored_count_as_frames_nobody_looked_at(
    unwatched: StimulusSet,
) -> None:
    assert scored(unwatched, CENTRE, every=3)[1] == ()  # frames 1 and 4
    assert scored(unwatched, CENTRE, every=6)[1][0].startswith("Nobody looked at 1 of 1 frame:")


def test_scores_are_json(clips: StimulusSet) -> None:
    scores = score_models(clips, {"bright": BRIGHT}, Choices.of(clips))
    read = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert read["kind"] == "clips"
    assert [(of["name"], of["group"]) for of in read["subjects"]] == [("a", "db"), ("b", "db")]
    assert read["subjects"][1]["times"] == [0, 1 / RATE, 2 / RATE, 3 / RATE]
    of_clips = [np.mean(of_frames) for of_frames in read["values"]["bright"]["NSS"]]
    assert read["means"]["bright"]["NSS"] == pytest.approx(np.mean(of_clips))


def test_progress_is_told_of_every_frame(clips: StimulusSet, pictures: StimulusSet) -> None:
    for stimuli, frames in ((clips, 13), (pictures, 4)):
        done: list[int] = []
        score_models(stimuli, {"a": CENTRE, "b": BRIGHT}, Choices.of(stimuli), done.append)
        assert sum(done) == frames


def test_clips_of_one_name_in_two_databases_are_told_apart(folder: Path) -> None:
    stimuli = read_stimuli(folder)
    assert [(of.name, of.group) for of in stimuli.subjects] == [
        ("db/a", "db"),
        ("db/b", "db"),
        ("other/a", "other"),
    ]
    assert [[*map(str, of.paths)] for of in stimuli.subjects] == [
        ["db/a"],
        ["db/b", "b"],
        ["other/a"],
    ]


def test_only_the_clips_and_pictures_named_count(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("b\n")
    stimuli = read_stimuli(folder, names=tmp_path / "names.txt", database="db")
    assert [of.name for of in stimuli.subjects] == ["b"]
    for lines, names in (
        ("db/a\n", ["db/a"]),
        ("a\n", ["db/a", "other/a"]),
        ("other/a\nb", ["db/b", "other/a"]),
    ):
        (tmp_path / "names.txt").write_text(lines, encoding="utf-8-sig")
        stimuli = read_stimuli(folder, names=tmp_path / "names.txt")
        assert [of.name for of in stimuli.subjects] == names
    root = make_osie(tmp_path / "osie", count=4)
    (tmp_path / "names.txt").write_text("1003.jpg\n1001.jpg\n")
    stimuli = read_stimuli(root, names=tmp_path / "names.txt")
    assert [of.name for of in stimuli.subjects] == ["1003.jpg", "1001.jpg"]


@pytest.fixture
def diem(folder: Path, tmp_path: Path) -> Path:
    """DIEM, with a list to train on and one to test on, beside databases with folds."""
    root = shutil.copytree(folder, tmp_path / "stavis")
    lists = root / "fold_lists"
    for part, names in (("train", "abc"), ("test", "de")):
        lines = "".join(f"{name} 3 8\n" for name in names)
        (lists / f"DIEM_list_{part}_fps.txt").write_text(lines)
    return root


def test_of_diem_the_clips_of_its_test_list_count(diem: Path) -> None:
    stimuli = read_stimuli(diem, database="DIEM")
    assert [of.name for of in stimuli.subjects] == ["d", "e"]
    assert stimuli.counted == "DIEM: 2 clips of 5 listed, by DIEM_list_test_fps.txt"
    stimuli = read_stimuli(diem)
    assert [of.name for of in stimuli.subjects] == ["DIEM/d", "DIEM/e", "db/a", "db/b", "other/a"]
    assert stimuli.counted == (
        "DIEM: 2 clips of 5 listed, by DIEM_list_test_fps.txt; "
        "db: all listed (2 clips); other: all listed (1 clip)"
    )


def test_without_diems_test_list_all_its_clips_count_and_it_is_said(diem: Path) -> None:
    (diem / "fold_lists" / "DIEM_list_test_fps.txt").unlink()
    stimuli = read_stimuli(diem, database="DIEM")
    assert [of.name for of in stimuli.subjects] == ["a", "b", "c"]
    assert stimuli.counted == ("DIEM: all listed (3 clips), as there is no DIEM_list_test_fps.txt")


def test_who_names_clips_of_diem_gets_those(diem: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("b\ne\n")
    stimuli = read_stimuli(diem, names=tmp_path / "names.txt", database="DIEM")
    assert [of.name for of in stimuli.subjects] == ["b", "e"]
    assert stimuli.counted == (
        "DIEM: 2 clips of 5 listed, by names.txt, 1 not in DIEM_list_test_fps.txt"
    )
    (tmp_path / "names.txt").write_text("other/a")
    stimuli = read_stimuli(diem, names=tmp_path / "names.txt")
    assert stimuli.counted == "other: 1 clip of 1 listed, by names.txt"


@pytest.mark.parametrize(
    ("content", "why"), [("", ""), ("d 3\n", r" \(.*line 1, 'd 3': not a name, a number of .*\)")]
)
def test_a_test_list_that_names_no_clip_is_one_line(diem: Path, content: str, why: str) -> None:
    """Else the clips to train on would count as if it were not there, or no clip at all."""
    (diem / "fold_lists" / "DIEM_list_test_fps.txt").write_text(content)
    complaint = rf"DIEM_list_test_fps.txt: names no clip that can be used{why}; mend it, or give"
    with pytest.raises(LookhearError, match=complaint) as caught:
        read_stimuli(diem, database="DIEM")
    assert "\n" not in str(caught.value)


def test_sets_that_cannot_be_scored_are_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("b\nz\n")
    osie = make_osie(tmp_path / "osie", count=2)
    (tmp_path / "unlisted" / "annotations").mkdir(parents=True)
    (tmp_path / "one.txt").write_text("1001.jpg")
    for complaint, arguments in (
        ("has no clip z", {"data": folder, "names": tmp_path / "names.txt"}),
        ("has no database x; there is db, other", {"data": folder, "database": "x"}),
        ("so it has no --database", {"data": osie, "database": "db"}),
        ("at least two", {"data": osie, "names": tmp_path / "one.txt"}),
        ("no such folder; give one in", {"data": tmp_path / "nowhere"}),
        ("holds no fold_lists/, whose lists name", {"data": tmp_path / "unlisted"}),
    ):
        with pytest.raises(LookhearError, match=complaint) as caught:
            read_stimuli(**arguments)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_entries_of_lists_that_cannot_be_used_are_one_line_for_each_reason(tmp_path: Path) -> None:
    write_watched(tmp_path, {"a": 3})
    (fold,) = (tmp_path / "fold_lists").iterdir()
    fold.write_text(fold.read_text() + "a 3 8\n" * 5 + "b\n")
    twice, short = read_stimuli(tmp_path).faults
    assert twice.startswith(f"{tmp_path}: {fold.name}, line 2, 'a', ")
    assert twice.endswith(" and 2 more: listed twice")
    assert "line 7" in short


@pytest.mark.parametrize("content", [None, b"", b"text", "huge"])
def test_a_broken_frame_is_one_line(tmp_path: Path, content: bytes | str | None) -> None:
    stimuli = read_stimuli(write_watched(tmp_path, {"a": 3}))
    frame = tmp_path / "video_frames" / "db" / "a" / "img_00002.jpg"
    if content == "huge":  # a picture that says it has 60,000 x 60,000 pixels
        raw = bytearray(frame.read_bytes())
        at = raw.index(b"\xff\xc0") + 5
        raw[at : at + 4] = b"\xea\x60\xea\x60"
        frame.write_bytes(raw)
    elif isinstance(content, bytes):
        frame.write_bytes(content)
    else:
        frame.unlink()
    with pytest.raises(LookhearError, match=r"^.*img_00002\.jpg: not a picture .*\Z"):
        scored(stimuli, BRIGHT)


def holding(*maps: Any) -> Given:
    return Given(lambda _, index: None if maps[index] is None else np.asarray(maps[index]))


def test_what_cannot_be_scored_is_scored_as_chance_and_named() -> None:
    """So that a model gains nothing by what it leaves out."""
    film = StimulusSet("films", "clips", [Film(6)])
    good = np.random.default_rng(0).random((12, 16)).astype(np.float32)
    nan, infinite = good.copy(), good.copy()
    nan[3, 3], infinite[0, 0] = np.nan, -np.inf
    flat = np.full((12, 16), 0.3, np.float32)
    values, notes = scored(film, holding(good, None, nan, infinite, flat, np.zeros((9, 9), "f4")))
    chance = {"AUC-J": 0.5, "s-AUC": math.nan, "NSS": 0, "CC": 0}
    for metric, value in chance.items():
        assert values[metric][0][1:] == pytest.approx((value,) * 5, nan_ok=True), metric
    assert len({round(value, 9) for value in values["KL"][0][1:]}) == 1
    assert sorted(notes) == sorted(
        [
            f"model: film: frame 2: {NO_MAP}",
            f"model: film: frames 3, 4: {BROKEN}",
            f"model: film: frames 5, 6: {FLAT}",
        ]
    )


def test_many_odd_frames_clips_and_pictures_are_counted_after_the_first_three() -> None:
    def notes(kind: str, *stimuli: Film) -> tuple[str, ...]:
        return scored(StimulusSet("films", kind, stimuli), Given(lambda *_: None))[1]

    one, two, *rest = (Film(4, name=name) for name in ("one", "two", "three", "four"))
    assert notes("clips", Film(12)) == (f"model: film: frames 1, 2, 3 and 9 more: {NO_MAP}",)
    assert notes("clips", one, two) == (f"model: 8 frames of 2 clips (one, two): {NO_MAP}",)
    assert notes("clips", one, two, *rest) == (
        f"model: 16 frames of 4 clips (one, two, three and 1 more): {NO_MAP}",
    )
    pictures = [Film(1, None, name=name) for name in "abcde"]
    assert notes("pictures", *pictures[:1]) == (f"model: a: {NO_MAP}",)
    assert notes("pictures", *pictures) == (f"model: 5 pictures (a, b, c and 2 more): {NO_MAP}",)


def test_every_odd_frame_is_in_the_json(clips: StimulusSet) -> None:
    scores = score_models(clips, {"m": Given(lambda *_: None)}, Choices.of(clips, every=3))
    (odd,) = json.loads(json.dumps(scores.as_json()))["odd"]
    assert odd == {"model": "m", "what": NO_MAP, "frames": {"a": [1, 4, 7], "b": [1]}}


def test_the_frame_numbers_named_are_the_clips_own() -> None:
    film = StimulusSet("films", "clips", [Film(12)])
    _, (note,) = scored(film, Given(lambda *_: None), every=5)
    assert "frames 3, 8: " in note


def test_maps_are_asked_for_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a clip is, no more maps than a batch are ever held."""
    monkeypatch.setattr(scoring, "BATCH_PIXELS", 4 * HEIGHT * WIDTH)
    asked: list[int] = []
    annotated: list[int] = []

    class Watching(Film):
        def annotate(self, indices: Sequence[int]) -> Any:
            annotated.extend(indices)
            return super().annotate(indices)

    def given(_: Stimulus, index: int) -> Maps:
        asked.append(index)
        assert index in annotated
        assert len(annotated) - index <= 4
        return disc(index)[0][..., 0].astype(np.float32)

    film = StimulusSet("films", "clips", [Watching(10)])
    score_models(film, {"m": Given(given)}, Choices.of(film))
    assert asked == annotated == [*range(10)]
