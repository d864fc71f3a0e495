"""Finding actions: windows, segments, boxes; a network whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lookhear
from clips import make_clip
from lookhear import LookhearError
from lookhear.actions import finding
from lookhear.actions.finding import box_of, segments_of, windows_of
from lookhear.actions.net import Attended, WhereWhen

FRAMES, SECONDS, FPS = 8, 2.0, 16
SIZE = (64, 64)
CLASSES = ("red", "green")


class Colours(nn.Module):
    """Looks at the place, and weighs the frame, by how much red or green there is."""

    def forward(self, features: Tensor) -> Attended:
        red, green = features[:, :, 0], features[:, :, 1]
        mask = (red - green).abs()
        weights = (20 * mask.amax((2, 3))).softmax(1)
        logits = torch.stack([red.amax((1, 2, 3)), green.amax((1, 2, 3))], 1) * 10
        return Attended(logits, mask, weights[:, None], weights)


class Pixels(nn.Module):
    """Features that are the pixels, on a grid of 8 x 8."""

    def forward(self, pictures: Tensor) -> list[Tensor]:
        self.most = max(getattr(self, "most", 0), len(pictures))
        return [nn.functional.avg_pool2d(pictures, 8)]


def network(blocks: int = 0) -> WhereWhen:
    net = WhereWhen(
        CLASSES,
        "resnet10t",
        {"channels": [8, 8, 8, 8], "stem_width": 4},
        SIZE,
        {"mean": [0, 0, 0], "std": [1, 1, 1]},
        frames=FRAMES,
        seconds=SECONDS,
        widths=(4,),
        blocks=blocks,
    ).eval()
    net.backbone, net.head = Pixels(), Colours()
    return net


def clip(path: Path, seconds: float, *coloured: tuple[str, float, float]) -> Path:
    """A black clip with a square at the lower right that is red or green for some stretches."""
    pictures = []
    for index in range(round(seconds * FPS)):
        picture = np.zeros((*SIZE, 3), np.uint8)
        for colour, start, end in coloured:
            if start <= index / FPS < end:
                picture[40:56, 32:48, CLASSES.index(colour)] = 250
        pictures.append(picture)
    return make_clip(path, pictures, FPS)


def test_the_action_of_a_short_clip_is_found_where_and_when_it_is(tmp_path: Path) -> None:
    found = lookhear.find_actions(clip(tmp_path / "a.mp4", 2, ("green", 0.5, 1.25)), network())
    assert found.top(1)[0].label == "green"
    assert found.top(1)[0].probability > 0.9
    (segment,) = (of for of in found.segments if of.label == "green")
    assert (segment.start, segment.end) == (0.5, 1.25)
    assert segment.score == pytest.approx(found.probabilities[1])
    assert len(found.times) == FRAMES
    assert found.weights.mean() == pytest.approx(1, abs=1e-5)
    at = int(found.weights.argmax())
    left, top, right, bottom = found.boxes[at]
    assert (left, top, right, bottom) == pytest.approx((32, 40, 48, 56), abs=2.1)
    assert found.size == SIZE


def test_a_frame_of_which_the_mask_lets_nothing_through_does_not_count(tmp_path: Path) -> None:
    class OnlyWhere(Colours):
        def forward(self, features: Tensor) -> Attended:
            attended = super().forward(features)
            even = torch.full_like(attended.weights, 1 / features.shape[1])
            return attended._replace(glimpses=even[:, None], weights=even)

    net = network()
    net.head = OnlyWhere()
    for seconds in (2, 6):
        path = clip(tmp_path / f"{seconds}.mp4", seconds, ("red", 0.5, 1.25))
        found = lookhear.find_actions(path, net)
        (segment,) = (of for of in found.segments if of.label == "red")
        assert (segment.start, segment.end) == (0.5, 1.25)
        assert (found.attention == 1).all()
        assert found.weights.mean() == pytest.approx(1, abs=1e-4)
        assert (found.weights[found.times > 1.25] == 0).all()


def test_several_segments_of_a_long_clip_are_found_in_windows(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 12, ("red", 1, 2), ("red", 7, 8.5), ("green", 10, 11))
    net = network()
    found = lookhear.find_actions(path, net)
    assert len(found.spans) == 11
    assert len(found.times) == 48
    red = sorted((of.start, of.end) for of in found.segments if of.label == "red")
    green = [(of.start, of.end) for of in found.segments if of.label == "green"]
    np.testing.assert_allclose(red, [(1, 2), (7, 8.5)], atol=0.26)
    np.testing.assert_allclose(green, [(10, 11)], atol=0.26)


def test_every_frame_goes_through_the_backbone_once_and_few_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "BATCH_SIZE", 3)
    net, seen = network(), []
    backbone = net.backbone

    class Counting(nn.Module):
        def forward(self, pictures: Tensor) -> list[Tensor]:
            seen.append(len(pictures))
            return backbone(pictures)

    net.backbone = Counting()
    path = clip(tmp_path / "a.mp4", 12, ("red", 1, 2))
    found = lookhear.find_actions(path, net)
    assert sum(seen) == len(found.times) == 48
    assert max(seen) == 3


@pytest.mark.parametrize(
    ("duration", "count", "starts"),
    [
        (0.1, 8, [0]),
        (3.0, 8, [0]),
        (3.1, 12, [0, 4]),
        (5.0, 20, [0, 4, 8, 12]),
        (5.3, 21, [0, 4, 8, 12, 13]),
    ],
)
def test_windows_overlap_by_half_and_the_last_ends_with_the_clip(
    duration: float, count: int, starts: list[int]
) -> None:
    times, begun = windows_of(duration, network())
    assert begun == starts
    assert len(times) == count == starts[-1] + FRAMES
    assert times[0] == pytest.approx(duration / count / 2)
    np.testing.assert_allclose(np.diff(times), duration / count)


@pytest.mark.parametrize(
    ("duration", "count"), [(0.1, 1), (1.0, 4), (2.0, 8), (3.0, 12), (3.1, 12)]
)
def test_what_sees_motion_is_shown_as_many_frames_a_second_as_ever(
    duration: float, count: int
) -> None:
    net = network(blocks=1)
    times, begun = windows_of(duration, net)
    assert len(times) == count
    assert begun == ([0, 4] if duration > 3 else [0])


def test_what_sees_only_motion_says_that_a_still_has_none(tmp_path: Path) -> None:
    net = network(blocks=1)
    net.sight = "motion"
    still, longer = clip(tmp_path / "a.mp4", 1 / FPS), clip(tmp_path / "b.mp4", 1)
    (told,) = lookhear.find_actions(still, net).problems
    assert "too short to show motion" in told
    assert lookhear.find_actions(longer, net).problems == ()


def test_a_window_without_the_class_says_little_of_it() -> None:
    of_class = np.array([[2.0, 0.1], [0.5, 0.2], [1.5, 0.0], [1.2, 3.0]])
    first, second, other = segments_of(("a", "b"), of_class, np.array([0.8, 0.3]), 8.0)
    assert (first.label, first.start, first.end) == ("a", 4, 8)
    assert (second.label, second.start, second.end) == ("a", 0, 2)
    assert first.score == pytest.approx(0.8)
    assert second.score == pytest.approx(0.8 * 2.0 / 2.7)
    assert (other.label, other.score) == ("b", pytest.approx(0.3))


def test_a_box_is_of_what_hangs_together_with_the_strongest_place() -> None:
    mask = np.zeros((8, 16), np.float32)
    mask[2:4, 4:8] = 1
    mask[6:8, 12:16] = 0.9
    assert box_of(mask, (80, 160)) == pytest.approx((40, 20, 80, 40), abs=3)
    assert box_of(np.ones((4, 4), np.float32), (80, 160)) == (0, 0, 160, 80)


def test_a_model_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="not WhereWhen"):
        lookhear.find_actions(clip(tmp_path / "a.mp4", 1), "small")


def test_frames_that_count_alike_are_no_segment(tmp_path: Path) -> None:
    net = WhereWhen(
        CLASSES,
        "resnet10t",
        {"channels": [8, 8, 8, 8], "stem_width": 4},
        SIZE,
        frames=13,  # a thirteenth of 1 is not exact
        seconds=SECONDS,
        widths=(4,),
        temporal="even",
    ).eval()
    found = lookhear.find_actions(clip(tmp_path / "c.mp4", SECONDS), net)
    assert (found.weights == 1).all()
    assert found.segments == ()
