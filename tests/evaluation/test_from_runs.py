"""Every step of a run is scored where people looked, on the frames shown at its moments."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from torch.utils.data import default_collate

from little_world import write_little_world
from lookhear.baselines import centre_prior
from lookhear.data.derived import FIXATIONS, write_derived
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.fixated import density_of, frame_at
from lookhear.data.readers.stavis import EyeTrackedClip
from lookhear.errors import LookhearError
from lookhear.evaluation.from_runs import GazeTest
from lookhear.evaluation.protocol import annotate, ever_fixated, protocol
from lookhear.evaluation.scores import Scores
from lookhear.maps import resize
from lookhear.metrics import METRIC_NAMES
from lookhear.stanet.predicting import all_moments, attention_of
from lookhear.stanet.run_folder import FUSED, SINGLE, MapFolders
from lookhear.stanet.sta import STA
from lookhear.stanet.steps import STANetSteps

GRID = (32, 48)
SILENT, UNWATCHED = 1, 3
ROWS = (
    "centre",
    "S",
    "SA",
    "ST",
    "SCAM, coarse",
    "SCAM, fine",
    "pseudo-fixations (know the tag)",
    "STA without sound",
    "STA without time",
    "STA",
)


class Test(NamedTuple):
    __test__ = False

    world: Path
    moments: Path
    maps: MapFolders

    def steps(self, sta: STA) -> STANetSteps:
        return STANetSteps(self.moments, self.maps, sta, GRID)


@pytest.fixture(scope="module")
def test(tmp_path_factory: pytest.TempPathFactory) -> Test:
    """Four clips in two splits, one without sound and one without gaze; maps are of chance."""
    root = tmp_path_factory.mktemp("test")
    world = write_little_world(
        root / "ave", (1, 0, 3), seconds=2, silent=[SILENT], unwatched=[UNWATCHED]
    )
    prepare(read_tagged(world), root / "moments")
    maps = MapFolders(*(root / name for name in ("coarse", "fine", "tagged-coarse", "tagged")))
    chance = np.random.default_rng(0)
    for shard, count in (("train-00000", 2), ("test-00000", 6)):
        for folder, shapes in (
            (maps.coarse, {FUSED: GRID, SINGLE: (3, *GRID)}),
            (maps.fine, {FUSED: GRID}),
            (maps.tagged, {FIXATIONS: GRID}),
        ):
            arrays: dict[str, NDArray[Any]] = {
                name: chance.random((count, *shape)).astype(np.float16)
                for name, shape in shapes.items()
            }
            write_derived(folder, shard, arrays)
    return Test(world, root / "moments", maps)


@pytest.fixture(scope="module")
def sta() -> STA:
    """Untrained, but one whose sound and time have their say."""
    torch.manual_seed(0)
    net = STA(
        "resnet10t",
        {"channels": [8, 8, 16, 16], "stem_width": 4},
        sound_encoder="light",
        sound_gate="matching",
        width=8,
        input_size=(64, 96),
        strides=(4, 8, 16),
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)
    return net.eval()


def score(test: Test, sta: STA, **gaze: Any) -> Scores:
    """Of the clips of the world, or of others by name."""
    scorer = GazeTest(test.world)
    if gaze:
        vars(scorer)["gaze"] = {name.replace("_", "-"): clip for name, clip in gaze.items()}
    return scorer.score(test.moments, test.steps(sta))


@pytest.fixture(scope="module")
def scores(test: Test, sta: STA) -> Scores:
    return score(test, sta)


def watched(test: Test) -> Iterator[tuple[Moments, EyeTrackedClip, list[int]]]:
    """The clips with gaze and their moments, in order."""
    gaze = GazeTest(test.world).gaze
    for split in ("train", "test"):
        data = Moments(test.moments, split)
        for path, indices in data.clip_moments().items():
            if Path(path).stem in gaze:
                yield data, gaze[Path(path).stem], indices


def kept(folder: Path, name: str, data: Moments, indices: list[int]) -> NDArray[np.float32]:
    shard = f"{data.split}-00000"
    return np.load(folder / shard / f"{name}.npy")[indices].astype(np.float32)


def assert_scores(
    scores: Scores, row: str, clip: EyeTrackedClip, maps: NDArray[np.float32]
) -> None:
    """Of a clip's two moments, whose frames are 4 and 12."""
    annotation = annotate(clip, [4, 12], ever_fixated(clip))
    expected = annotation.score(protocol(resize(maps, GRID), 64, 96))
    at = [of.name for of in scores.subjects].index(clip.name)
    for metric, values in scores.of_subjects[row].items():
        # A batch of another size is not the same to the last bit.
        assert values[at] == pytest.approx(np.nanmean(expected[metric]), abs=1e-5), metric


def test_the_table_has_every_step_in_the_order_of_the_method(scores: Scores) -> None:
    means = scores.means()
    assert tuple(means) == ROWS
    for row in means.values():
        assert tuple(row) == METRIC_NAMES


def test_the_frame_scored_is_the_one_shown_at_the_moment(scores: Scores, test: Test) -> None:
    """Half a second into each second, of eight frames."""
    for _, clip, indices in watched(test):
        centre = np.broadcast_to(centre_prior(*GRID), (len(indices), *GRID))
        assert_scores(scores, "centre", clip, np.ascontiguousarray(centre))


def test_rows_of_maps_are_scored_by_their_own_maps(scores: Scores, test: Test) -> None:
    coarse, fine, tagged = test.maps.coarse, test.maps.fine, test.maps.tagged
    for data, clip, indices in watched(test):
        singles = kept(coarse, SINGLE, data, indices)
        for column, source in enumerate(("S", "SA", "ST")):
            assert_scores(scores, source, clip, singles[:, column])
        assert_scores(scores, "SCAM, coarse", clip, kept(coarse, FUSED, data, indices))
        assert_scores(scores, "SCAM, fine", clip, kept(fine, FUSED, data, indices))
        assert_scores(scores, ROWS[6], clip, kept(tagged, FIXATIONS, data, indices))


@torch.inference_mode()
def test_sta_is_scored_as_it_predicts(scores: Scores, test: Test, sta: STA) -> None:
    for data in all_moments(test.moments, sta):
        for path, indices in data.clip_moments().items():
            clip = GazeTest(test.world).gaze.get(Path(path).stem)
            if clip is not None:
                batch = default_collate([data[index] for index in indices])
                is_silent = clip.name.endswith(f"{SILENT:02d}")
                assert batch["has_sound"].any() != torch.tensor(is_silent)
                frames = batch["frames"][:, 0] / 255
                sound = None if is_silent else batch["sound"][:, 0]
                whole = _on_grid(sta, frames, sound)
                assert_scores(scores, "STA", clip, whole)
                assert_scores(scores, "STA without sound", clip, _on_grid(sta, frames, None))
                still = frames[:, 1:2].expand(-1, 3, -1, -1, -1)
                assert_scores(scores, "STA without time", clip, _on_grid(sta, still, sound))


def _on_grid(sta: STA, frames: torch.Tensor, sound: torch.Tensor | None) -> NDArray[np.float32]:
    """The sigmoid of the network's logits, which are enlarged first."""
    heard = None if sound is None else sound.flatten(0, 1)
    seen = sta.see(frames.flatten(0, 1), heard)
    _, logits = sta.head.attend(*(seen.at(slice(time, None, 3)) for time in range(3)))
    return torch.sigmoid(F.interpolate(logits, GRID, mode="bilinear"))[:, 0].numpy()


def test_what_is_not_heard_is_as_if_there_were_silence(test: Test, sta: STA) -> None:
    (data,) = (data for data in all_moments(test.moments, sta) if data.split == "test")
    batch = default_collate([data[index] for index in range(len(data))])
    silent = batch | {"has_sound": torch.zeros_like(batch["has_sound"])}
    deaf = attention_of(sta, batch, hears=False)
    np.testing.assert_allclose(attention_of(sta, silent), deaf, atol=1e-6)
    heard = attention_of(sta, batch)
    with_sound = batch["has_sound"][:, 0].numpy()
    assert with_sound.tolist() == [False] * 2 + [True] * 4
    difference = np.abs(heard - deaf).max((1, 2))
    assert (difference[with_sound] > 1e-4).all()
    assert (difference[~with_sound] < 1e-6).all()


def test_what_does_not_move_is_seen_the_same_without_time(test: Test, sta: STA) -> None:
    (data,) = (data for data in all_moments(test.moments, sta) if data.split == "train")
    batch = default_collate([data[0]])
    assert np.abs(attention_of(sta, batch, moves=False) - attention_of(sta, batch)).max() > 1e-4
    still = batch | {"frames": batch["frames"][:, :, 1:2].expand(-1, -1, 3, -1, -1, -1)}
    np.testing.assert_allclose(
        attention_of(sta, still), attention_of(sta, still, moves=False), atol=1e-6
    )


def test_clips_without_gaze_are_left_out_and_every_moment_is_counted(test: Test, sta: STA) -> None:
    done: list[int] = []
    table = GazeTest(test.world).table(test.moments, test.steps(sta), done.append)
    assert done == [2, 2, 2, 2]
    for row in table["clips"].values():
        assert [*row] == ["c0-00", "c0-01", "c0-02"]


def test_the_table_is_the_means_of_the_scores_and_of_each_clip(
    scores: Scores, test: Test, sta: STA
) -> None:
    table = GazeTest(test.world).table(test.moments, test.steps(sta))
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert table["means"] == scores.means()
    for row, clips in table["clips"].items():
        of_clips = [clip["NSS"] for clip in clips.values()]
        assert of_clips == [*scores.of_subjects[row]["NSS"]]
        assert table["means"][row]["NSS"] == pytest.approx(np.mean(of_clips))


def test_no_clip_with_gaze_is_one_line(test: Test, sta: STA) -> None:
    with pytest.raises(LookhearError, match=r"^.*moments: none of its clips has gaze; see") as e:
        score(test, sta, other=Filmed(8.0, 13))
    assert "\n" not in str(e.value)


def test_a_folder_without_gaze_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="not a folder in STAViS's layout"):
        _ = GazeTest(write_little_world(tmp_path / "ave", (1, 0, 0), seconds=1)).gaze


def test_a_map_that_is_no_number_is_one_line(test: Test, tmp_path: Path, sta: STA) -> None:
    shutil.copytree(test.maps.fine, tmp_path / "fine")
    for file in (tmp_path / "fine").rglob("*.npy"):
        np.save(file, np.full_like(np.load(file), np.nan))
    broken = test._replace(maps=replace(test.maps, fine=tmp_path / "fine"))
    with pytest.raises(LookhearError, match="has NaN or infinity in it; train its network again"):
        GazeTest(test.world).score(test.moments, broken.steps(sta))


class Filmed:
    """A clip of so many frames a second, who looks at frame `i` looks at pixel `i`."""

    name = "c0-00"
    database = "db"

    def __init__(self, frame_rate: float, frame_count: int, nobody: int = -1) -> None:
        self.frame_rate = frame_rate
        self.frame_count = frame_count
        self.nobody = nobody

    def fixation_map(self, index: int) -> NDArray[np.uint8]:
        counts = np.zeros((18, 32), np.uint8)
        if index != self.nobody:
            counts[9, index] = 1
        return counts

    def density(self, index: int) -> NDArray[np.float32]:
        return density_of(self.fixation_map(index))


@pytest.mark.parametrize(
    ("time", "frame_rate", "expected"),
    [
        (0.0, 25.0, 0),
        (0.5, 25.0, 12),
        (0.52, 25.0, 13),
        (0.29, 100.0, 29),  # 28.999999999999996 in floating point
        (0.5, 30000 / 1001, 14),
        (1001 / 30000 * 15, 30000 / 1001, 15),
        (9.5, 10.0, 95),
        (9.99, 10.0, 99),
        (10.5, 10.0, 99),  # the last one stays
    ],
)
def test_a_frame_is_shown_until_the_next_one(time: float, frame_rate: float, expected: int) -> None:
    assert frame_at(Filmed(frame_rate, 100), time) == expected


def test_moments_nobody_looked_at_count_in_sim_alone_and_are_null_in_a_file(
    test: Test, sta: STA
) -> None:
    """Frames 4 and 12 are shown; of one clip nobody looks at the second one, or at any."""
    lonely = Filmed(8.0, 13, nobody=12)
    scores = score(test, sta, c0_00=lonely)
    annotation = annotate(lonely, [4], ever_fixated(lonely))
    centre = annotation.score(protocol(centre_prior(*GRID)[np.newaxis], 18, 32))
    for metric, value in scores.means()["centre"].items():
        moments = 2 if metric == "SIM" else 1
        assert value == pytest.approx(centre[metric].item() / moments, abs=1e-9), metric

    class Ignored(Filmed):
        def fixation_map(self, _: int) -> NDArray[np.uint8]:
            return np.zeros((18, 32), np.uint8)

    nobody = GazeTest(test.world)
    vars(nobody)["gaze"] = {"c0-00": Ignored(8.0, 13)}
    table = nobody.table(test.moments, test.steps(sta))
    written = json.loads(json.dumps(table, allow_nan=False))
    assert written["means"]["STA"] == dict.fromkeys(METRIC_NAMES) | {"SIM": 0}
