"""`lookhear.explain`: where and when a network sees a class, on clips of which that is known."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import lookhear
from clips import make_clip
from colour_nets import CATEGORIES
from lookhear.cam import METHODS
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.tubes.explanation import summary
from lookhear.tubes.faithfulness import moved_elsewhere
from lookhear.tubes.results import explain_into
from red_then_green import COUNT, GREEN_FRAMES, RATE, RED_FRAMES, scene


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "scene.mkv"
    return make_clip(path, map(scene, range(COUNT)), RATE, codec="ffv1")


def mass_in(frames: np.ndarray, rows: slice, columns: slice) -> float:
    return frames[:, rows, columns].sum() / frames.sum()


def test_a_tube_is_where_and_when_the_class_is(clip):
    explained = lookhear.explain(clip, "colour_nets:clips", faithfulness=False)
    assert [label.name for label in explained.labels] == ["red"]
    assert (explained.layer, explained.head, explained.method) == ("features", "head", "tube")
    (tube,) = explained.tubes
    frames = np.stack([*tube.frames()])
    assert frames.shape == (COUNT, 24, 32)
    assert (frames.min(), frames.max()) == (0, 1)
    assert tube.peak() in RED_FRAMES
    while_red = frames[RED_FRAMES.start + 1 : RED_FRAMES.stop - 1]
    assert mass_in(while_red, slice(10, 22), slice(18, 30)) > 0.5  # of 0.19 of the area
    assert while_red.mean() > 1.5 * frames.mean()


def test_probabilities_follow_the_windows(clip):
    explained = lookhear.explain(
        clip, "colour_nets:clips", labels=["red", "green"], faithfulness=False
    )
    np.testing.assert_allclose(explained.times, np.arange(COUNT) / RATE, atol=1e-3)
    starts, ends = explained.spans.T
    np.testing.assert_allclose(starts, np.arange(0, 2.41, 0.3), atol=1e-3)
    np.testing.assert_allclose(ends - starts, 0.5, atol=1e-3)
    red, green = explained.probabilities.T
    assert red[5] > 0.9  # frames 15 to 20
    assert green[8] > 0.8  # frames 24 to 29
    np.testing.assert_allclose(explained.probabilities[0], 1 / 3, atol=0.05)


def test_labels_are_told_apart(clip):
    explained = lookhear.explain(
        clip, "colour_nets:clips", labels=["green", "top-2", "0"], faithfulness=False
    )
    assert [label.name for label in explained.labels] == ["green", "red"]
    green, red = explained.tubes
    assert green.peak() in GREEN_FRAMES
    assert red.peak() in RED_FRAMES


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", ["clips", "pictures"])
def test_every_method_explains_clips_and_pictures(clip, network, method):
    explained = lookhear.explain(
        clip, f"colour_nets:{network}", labels=["red"], method=method.lower(), faithfulness=False
    )
    assert explained.method == method
    assert explained.head is None
    (tube,) = explained.tubes
    assert tube.peak() in RED_FRAMES
    frame = tube.frame(16)
    assert np.unravel_index(frame.argmax(), frame.shape) == pytest.approx((16, 24), abs=6)


def test_a_network_of_pictures_sees_each_frame(clip):
    explained = lookhear.explain(clip, "colour_nets:pictures", fps=5, faithfulness=False)
    assert len(explained.spans) == len(explained.times) == COUNT // 2
    np.testing.assert_array_equal(*explained.spans.T)


def test_even_frames_are_one_window(clip):
    explained = lookhear.explain(clip, "colour_nets:clips", selection="even", faithfulness=False)
    assert explained.spans.shape == (1, 2)
    np.testing.assert_allclose(explained.spans[0], (0, (COUNT - 1) / RATE), atol=1e-3)
    assert len(explained.tubes[0]) == len(explained.times) == 6


def test_true_tubes_are_more_faithful_than_moved_ones(clip):
    explained = lookhear.explain(clip, "colour_nets:clips", labels=["red", "green"])
    for label, measured in zip(explained.labels, explained.faithfulness, strict=True):
        seen = RED_FRAMES if label.name == "red" else GREEN_FRAMES
        assert measured.span[0] * RATE < seen.stop
        assert measured.span[1] * RATE >= seen.start
        assert measured.area(measured.deletion) < measured.area(measured.random_deletion) - 0.1
        assert measured.area(measured.insertion) > measured.area(measured.random_insertion)
        for curve in (measured.deletion, measured.random_deletion):
            assert curve[0] > 0.8 > 0.4 > curve[-1]
        for curve in (measured.insertion, measured.random_insertion):
            assert curve[-1] == pytest.approx(measured.deletion[0], abs=1e-5)


def test_the_network_is_left_as_it_was(clip):
    from lookhear.tubes.networks import load_classifier

    network = load_classifier("colour_nets:clips")
    before = {name: value.clone() for name, value in network.net.state_dict().items()}
    hooks = [len(module._forward_hooks) for module in network.net.modules()]
    network.net.train()
    lookhear.explain(clip, network, method="GradCAM++", faithfulness=False)
    assert network.net.training
    assert [len(module._forward_hooks) for module in network.net.modules()] == hooks
    for name, value in network.net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in network.net.parameters())


@pytest.mark.parametrize(
    ("settings", "works"),
    [
        ({"labels": ["red", "blue"]}, {"looking", "weighing", "testing"}),
        ({"labels": ["red", "blue"], "method": "CAM"}, {"looking", "weighing", "testing"}),
        ({}, {"looking", "looking again", "weighing", "testing"}),
        ({"faithfulness": False}, {"looking", "weighing"}),
    ],
)
def test_every_window_is_counted(clip, settings, works):
    counted: dict[str, list[int]] = {}

    @contextmanager
    def bar(what: str, total: int | None):
        counted[what] = [total or 0, 0]

        def count(more: int) -> None:
            counted[what][1] += more

        yield count

    lookhear.explain(clip, "colour_nets:clips", **settings, progress=bar)
    assert set(counted) == works
    assert all(total == done > 0 for total, done in counted.values())


@pytest.mark.parametrize(
    ("labels", "method", "passes"),
    [("red", "tube", 1), ("red", "GradCAM", 1), ("top-2", "tube", 2), ("top-2", "GradCAM", 2)],
)
def test_a_clip_is_opened_once_and_decoded_no_more_than_it_must(clip, labels, method, passes):
    opened = open_clip(clip)
    decoded = []
    frames = opened.frames
    opened.frames = lambda: decoded.append(1) or frames()
    explained = lookhear.explain(opened, "colour_nets:clips", labels=labels, method=method)
    assert len(explained.faithfulness) == len(explained.labels)
    assert len(decoded) == passes


def test_what_is_found_of_a_class_does_not_depend_on_how_it_is_asked_for(clip):
    for method in ("tube", "GradCAM"):
        ranked, named = (
            lookhear.explain(clip, "colour_nets:clips", labels=labels, method=method)
            for labels in (["top-2"], ["red", "green"])
        )
        assert ranked.labels == named.labels
        for one, other in zip(ranked.tubes, named.tubes, strict=True):
            np.testing.assert_array_equal(one.maps, other.maps)
        for one, other in zip(ranked.faithfulness, named.faithfulness, strict=True):
            assert one.span == other.span
            np.testing.assert_array_equal(one.deletion, other.deletion)


def test_a_clip_is_explained_into_a_folder_from_python(clip, tmp_path):
    explained = explain_into(
        tmp_path / "out", clip, network="colour_nets:clips", labels="red", formats=["gif"]
    )
    with np.load(tmp_path / "out" / "tube.npz") as saved:
        np.testing.assert_array_equal(saved["times"], explained.times)
    assert (tmp_path / "out" / "heat.gif").exists()
    said, fed, *found = summary(explained)
    assert fed == "fed with 6 frames of 32 x 24, in colours from 0 to 1"
    assert said == "colour_nets:clips: tube of layer features, prediction layer head"
    assert [line.split(":")[0] for line in found] == ["red"]
    with pytest.raises(LookhearError, match="overwrite"):
        explain_into(tmp_path / "out", clip, network="colour_nets:clips")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ["rde"]}, r"rde.*red"),
        ({"labels": ["3"]}, r"0 to 2"),
        ({"method": "sobel"}, "tube, CAM, GradCAM"),
        ({"layer": "feature"}, r"layer 'feature'.*features"),
        ({"layer": "head"}, "no places"),
        ({"fps": -1.0}, "above 0"),
        ({"fps": 0}, "above 0"),
        ({"labels": []}, "no label"),
        ({"labels": "rde"}, r"label 'rde': .* red"),
        ({"selection": "some"}, "dense, even, script"),
        ({"fps": 5, "selection": "even"}, "--fps 5: is of dense frames; .* --frames even out"),
        ({"weights": "random"}, "weights random"),
        ({"categories": "missing.txt"}, "missing.txt"),
    ],
)
def test_wrong_settings_name_the_choices(clip, settings, message):
    with pytest.raises(LookhearError, match=message) as raised:
        lookhear.explain(clip, "colour_nets:clips", **settings)
    assert "\n" not in str(raised.value)


def test_a_network_without_a_linear_head_has_no_tube_but_other_maps(clip):
    with pytest.raises(LookhearError, match=r"no linear layer.*GradCAM"):
        lookhear.explain(clip, "colour_nets:deep")
    explained = lookhear.explain(clip, "colour_nets:deep", method="GradCAM", faithfulness=False)
    assert len(explained.tubes[0]) == COUNT


def test_logits_at_the_head_of_a_list_are_taken_and_a_line_says_so(clip, caplog):
    explained = lookhear.explain(clip, "tube_nets:Listed")
    assert (explained.layer, explained.head) == ("features", "head")
    assert [label.name for label in explained.labels] == ["red"]
    assert explained.faithfulness[0].deletion[0] > 0.8
    assert caplog.messages == [
        "tube_nets:Listed: gives a list; its first part, (1, 3), is taken for the logits"
    ]


def test_a_network_that_fails_says_so_in_a_line(clip):
    with pytest.raises(LookhearError, match=r"colour_nets:failing: fails.*not grey") as raised:
        lookhear.explain(clip, "colour_nets:failing")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("method", ["tube", "GradCAM"])
def test_a_network_that_breaks_later_on_says_so(clip, method):
    with pytest.raises(LookhearError, match="NaN or infinity"):
        lookhear.explain(clip, "colour_nets:breaking", labels="red", method=method)


@pytest.mark.parametrize("grid", [(1, 2, 2), (1, 1, 3), (2, 7, 7), (4, 5, 1)])
def test_a_map_moved_elsewhere_is_another(grid):
    maps = np.arange(np.prod(grid), dtype=np.float32).reshape(grid)
    for seed in range(50):
        moved = moved_elsewhere(maps, np.random.default_rng(seed))
        assert sorted(moved.ravel()) == sorted(maps.ravel())
        assert (moved != maps).all()


def test_classes_have_numbers_where_they_have_no_names(clip, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"{name} thing" for name in CATEGORIES))
    explained = lookhear.explain(
        clip, "colour_nets:clips", categories=names, labels=["green-thing"], faithfulness=False
    )
    assert [(label.index, label.name) for label in explained.labels] == [(1, "green thing")]
