"""A folder of frames and the published script: `explain` makes the same arrays of it.

The script's arithmetic is told again here, in NumPy, SciPy and OpenCV, from
``heat_tubes_mfnet_pytorch.py`` of the authors' repository. Which frames, what the network gets, and
the pictures that are drawn from a tube are the same to the last bit; the tube itself to rounding,
for sums of features are taken in another order.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import zoom

import lookhear
from conftest import Run
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.tubes.networks import load_classifier
from lookhear.tubes.results import explain_into
from lookhear.tubes.script import focus, jet
from lookhear.tubes.windows import ClipWindows, Framing
from tube_nets import CLASSES, Tupled

COUNT = 40
LABEL = 2
SCRIPT = {
    "network": "tube_nets:Tupled",
    "selection": "script",
    "resize": 256,
    "crop": 224,
    "mean": "124,117,104",
    "std": "0.229,0.224,0.225",
}
Frames = Callable[..., Path]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Makes a folder of numbered pictures in colour, wider than high."""

    def make(suffix: str, count: int = COUNT) -> Path:
        folder = tmp_path_factory.mktemp(f"frames-{suffix}") / "clip"
        folder.mkdir()
        chance = np.random.default_rng(0)
        for number in range(1, count + 1):
            coarse = chance.integers(0, 256, (12, 17, 3), dtype=np.uint8)
            picture = cv2.resize(coarse, (210, 130), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{number:05d}.{suffix}"), picture)
        return folder

    return make


def by_the_script(folder: Path, net: Tupled, label: int) -> SimpleNamespace:
    """What the script makes of a folder: frames, input, tube, heat (BGR) and focus (BGRA)."""
    names = sorted(path.name for path in folder.iterdir())
    indices = np.linspace(0, len(names) - 1, num=16, dtype=int)
    seen = np.zeros((16, 224, 224, 3))  # BGR
    for place, index in enumerate(indices):
        picture = cv2.imread(str(folder / names[index]), cv2.IMREAD_COLOR)
        square = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_LINEAR)
        seen[place] = square[16:240, 16:240]
    clip = torch.from_numpy(np.ascontiguousarray(seen[..., ::-1].transpose(3, 0, 1, 2))).float()
    clip /= 255.0
    for channel, mean, std in zip(
        clip, (124 / 255, 117 / 255, 104 / 255), (0.229, 0.224, 0.225), strict=True
    ):
        channel.sub_(mean).div_(std)
    with torch.no_grad():
        _, features = net(clip[None])
    weights = net.classifier.weight.detach().numpy()[label]
    cam = np.zeros(features.shape[2:], np.float32)
    for weight, channel in zip(weights, features[0].numpy(), strict=True):
        cam += weight * channel
    cam = zoom(cam, (2, 32, 32))
    cam -= cam.min()
    cam /= cam.max() - cam.min()
    return SimpleNamespace(
        indices=indices,
        clip=clip,
        cam=cam,
        pictures=[drawn(*both) for both in zip(seen, cam, strict=True)],
    )


def drawn(seen: NDArray[np.float64], cam: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Heat (BGR) and focus (BGRA) of a frame (BGR, whole numbers)."""
    heat = cv2.applyColorMap(np.uint8(255 * cam), cv2.COLORMAP_JET) // 2 + seen // 2
    focused = cv2.cvtColor(np.uint8(seen), cv2.COLOR_BGR2BGRA)
    focused[:, :, 3] = cv2.normalize(
        cam, None, alpha=20, beta=255, norm_type=cv2.NORM_MINMAX, dtype=cv2.CV_8UC1
    )
    return heat, focused


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_folder_of_frames_gives_the_arrays_of_the_published_script(
    frames: Frames, tmp_path: Path, suffix: str
) -> None:
    folder = frames(suffix)
    published = by_the_script(folder, Tupled(), LABEL)
    Tupled.seen.clear()
    explained = explain_into(
        tmp_path / "out",
        folder,
        formats=["script"],
        labels=str(LABEL),
        faithfulness=False,
        **SCRIPT,
    )
    assert (explained.layer, explained.head) == ("tail", "classifier")
    np.testing.assert_array_equal(np.rint(explained.times * 25).astype(int), published.indices)
    np.testing.assert_array_equal(Tupled.seen[-1][0], published.clip)
    (tube,) = explained.tubes
    ours = np.stack([*tube.frames()])
    np.testing.assert_allclose(ours, published.cam, atol=2e-6)
    of_label = tmp_path / "out" / str(LABEL)
    for index, (heat, focused) in enumerate(published.pictures):
        our_heat, our_focus = (
            cv2.imread(str(of_label / kind / f"{index:03d}.png"), cv2.IMREAD_UNCHANGED)
            for kind in ("heatmap", "focusmap")
        )
        # A level of 255 more or less where a value lies on the brink: up to 4 in a colour of JET,
        # which is halved.
        assert np.abs(our_heat - heat).max() <= 2
        assert (our_heat != heat).any(2).mean() < 1e-3
        assert np.abs(our_focus.astype(int) - focused).max() <= 1
        assert (our_focus != focused).any(2).mean() < 1e-3
        np.testing.assert_array_equal(our_focus[..., :3], focused[..., :3])
    assert {path.name for path in of_label.iterdir()} == {"heatmap", "focusmap"}
    assert len([*(of_label / "heatmap").iterdir()]) == 16


def test_pictures_of_one_tube_are_the_scripts_to_the_last_bit() -> None:
    chance = np.random.default_rng(1)
    picture = chance.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    for cam in (chance.random((60, 50), np.float32), np.full((60, 50), 0.25, np.float32)):
        heat, focused = drawn(picture[..., ::-1].astype(np.float64), cam)
        np.testing.assert_array_equal(jet(picture, cam)[..., ::-1], heat)
        np.testing.assert_array_equal(focus(picture, cam)[..., [2, 1, 0, 3]], focused)


@pytest.mark.parametrize("count", [1, 5, 16, 17, 40, 301])
def test_the_script_takes_the_frames_before_even_places(
    monkeypatch: pytest.MonkeyPatch, frames: Frames, count: int
) -> None:
    clip = open_clip(frames("png", 1))
    every = [next(clip.frames()) for _ in range(count)]
    for index, frame in enumerate(every):
        frame.index, frame.time = index, float(index)
    monkeypatch.setattr(clip, "frames", lambda: iter(every))
    windows = ClipWindows(clip, 16, Framing((8, 8)), 1.0, "script")
    (window,) = windows
    assert window.frames.shape == (16, 8, 8, 3)
    assert windows.times == np.linspace(0, count - 1, 16, dtype=int).tolist()


def test_what_is_cut_is_shown_where_it_is_in_the_whole_frame() -> None:
    framing = Framing((2, 4), whole=(5, 8))
    shown = framing.in_whole(np.ones((2, 4), np.float32))
    rows, columns = np.nonzero(shown)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 3, 2, 5)
    assert Framing((2, 4)).in_whole(shown) is shown


def test_films_show_the_cut_in_the_whole_frame(frames: Frames, tmp_path: Path) -> None:
    """Outside what the network saw, focus is dark and heat leaves the picture as it is."""
    explain_into(
        tmp_path / "out",
        frames("png"),
        formats=["png"],
        labels=str(LABEL),
        faithfulness=False,
        **SCRIPT | {"crop": 224},
    )
    first = cv2.imread(str(frames("png") / "00001.png")).astype(int)
    heat, dark = (
        cv2.imread(str(tmp_path / "out" / look / "000001.png")).astype(int)
        for look in ("heat", "focus")
    )
    edge = np.s_[:, :12]  # of 210 pixels, 13 are cut at either side
    assert np.abs(heat - first)[edge].max() <= 2
    assert dark[edge].max() < 40
    inside = np.s_[20:-20, 30:-30]
    assert np.abs(heat - first)[inside].max() > 30


@pytest.mark.parametrize("method", ["tube", "GradCAM"])
def test_logits_beside_features_are_taken_and_a_line_says_so(
    frames: Frames, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    explained = lookhear.explain(frames("png", 3), **SCRIPT, method=method, faithfulness=False)
    assert explained.layer == "tail"
    assert caplog.messages == [
        f"tube_nets:Tupled: gives a tuple; its first part, (1, {CLASSES}), is taken for the logits"
    ]


def test_features_before_logits_are_not_taken_for_them(frames: Frames) -> None:
    with pytest.raises(LookhearError, match=r"^network tube_nets:features_first: gives no logits"):
        lookhear.explain(frames("png", 3), **SCRIPT | {"network": "tube_nets:features_first"})


def test_the_script_is_followed_from_the_terminal(run: Run, frames: Frames, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = (
        *("explain", frames("jpg"), "--network", SCRIPT["network"], "--frames", "script"),
        *("--resize", 256, "--crop", 224, "--mean", SCRIPT["mean"], "--std", SCRIPT["std"]),
        *("--label", LABEL, "--label", "0", "--format", "script", "--no-faithfulness"),
        *("--out", out),
    )
    code, said, _ = run(*command)
    assert code == 0
    assert (
        "fed with 16 frames of 224 x 224, the middle of 256 x 256, in colours from 0 to 1 less "
        "0.486, 0.459, 0.408 divided by 0.229, 0.224, 0.225\n"
    ) in said
    assert {"0", str(LABEL), "report.html"} <= {path.name for path in out.iterdir()}
    assert not [*out.glob("*.mp4")]
    assert 'href="./0"' in (out / "report.html").read_text(encoding="utf-8")
    assert run(*command)[0] == 1
    assert run(*command, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"resize": None}, "--crop 224: .* --resize"),
        ({"crop": 300}, "--crop 300: must be from 1 to the 256 pixels of --resize"),
        ({"crop": 0}, "--crop 0: must be from 1"),
        ({"resize": 0}, "--resize 0: must be from 1 to 4096"),
        ({"resize": 10**6}, "--resize 1000000: must be from 1 to 4096"),
        ({"mean": "124,117"}, "--mean 124,117: must be three numbers"),
        ({"mean": "124,117,104,1"}, "--mean 124,117,104,1: must be three numbers"),
        ({"mean": "red,green,blue"}, "--mean red,green,blue: must be three numbers"),
        ({"mean": ""}, "--mean : must be three numbers"),
        ({"mean": "124,117,nan"}, "--mean 124,117,nan: must be from 0"),
        ({"mean": "-1,0,0"}, "--mean -1,0,0: must be from 0"),
        ({"mean": [300, 117, 104]}, "--mean 300,117,104: must be from 0 and up to 255"),
        ({"mean": "0.485,117,104"}, "--mean 0.485,117,104: are these"),
        ({"std": "0,1,1"}, "--std 0,1,1: must be above 0"),
        ({"selection": "scripts"}, "must be one of dense, even, script"),
    ],
)
def test_wrong_ways_to_feed_a_network_are_one_line(
    frames: Frames, wrong: dict[str, object], says: str
) -> None:
    with pytest.raises(LookhearError, match=says) as raised:
        lookhear.explain(frames("png", 1), **SCRIPT | wrong)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("told", "mean"),
    [
        ("124,117,104", (124 / 255, 117 / 255, 104 / 255)),
        ((0.485, 0.456, 0.406), (0.485, 0.456, 0.406)),
        ("0, 0, 0", (0, 0, 0)),
        ("0,0,255", (0, 0, 1)),
        ("1,1,1", (1, 1, 1)),
    ],
)
def test_colours_above_1_are_those_of_pictures(told: object, mean: tuple[float, ...]) -> None:
    classifier = load_classifier("tube_nets:Tupled", resize=224, mean=told)
    assert classifier.mean == mean
    assert classifier.std == (1, 1, 1)


def test_a_loaded_network_is_fed_as_it_was_loaded(frames: Frames) -> None:
    loaded = load_classifier("tube_nets:Tupled", resize=256, crop=224)
    explained = lookhear.explain(frames("png", 3), loaded, faithfulness=False)
    assert explained.tubes[0].framing == Framing((224, 224), whole=(256, 256))
    with pytest.raises(LookhearError, match="is loaded; give resize"):
        lookhear.explain(frames("png", 3), loaded, mean="124,117,104")


def test_a_network_of_torchvision_is_fed_as_one_says() -> None:
    fed = load_classifier("mvit_v2_s", "random", resize=240, crop=224, std="51,51,51")
    assert (fed.input_size, fed.whole, fed.std) == ((224, 224), (240, 240), (0.2, 0.2, 0.2))
    assert fed.mean == (0.45, 0.45, 0.45)
