"""A network has the right weights and is fed as it wants to be, or one line says why not."""

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models
from torchvision.models.video import MC3_18_Weights

from lookhear.cam import class_activation, find_layer
from lookhear.errors import LookhearError
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sources_plus import SPlus
from lookhear.tubes.networks import NETWORKS, Classifier, load_classifier

KINETICS = 400
TINY: dict[str, Any] = {
    "categories": ["Bark", "Flute"],
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "input_size": (48, 64),
}


def weights_of(name: str, classes: int = KINETICS) -> dict[str, Tensor]:
    """A state dict with the right names and shapes, all of it one number: a file of a few kB."""
    with torch.device("meta"):
        state = models.get_model(name, num_classes=classes).state_dict()
    half = torch.tensor(0.5)
    return {key: half.to(tensor.dtype).expand(tensor.shape) for key, tensor in state.items()}


def saved(state: object, file: Path) -> Path:
    torch.save(state, file)
    return file


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision would keep what it downloads, which it cannot."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "kept"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    folder = tmp_path / "kept" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_every_video_classifier_of_torchvision_is_offered() -> None:
    assert {"r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t"} <= {*NETWORKS}


@pytest.mark.parametrize(
    ("name", "frames", "rate", "side", "red", "any_shape"),
    [
        ("mc3_18", 16, 15, 112, 0.43216, True),
        ("s3d", 64, 15, 224, 0.43216, False),
        ("mvit_v2_s", 16, 7.5, 224, 0.45, False),
        ("swin3d_t", 32, 15, 224, 0.485, True),
    ],
)
def test_a_network_of_torchvision_is_fed_as_its_published_weights_were_tested(
    name: str, frames: int, rate: float, side: int, red: float, any_shape: bool
) -> None:
    classifier = load_classifier(name, "random")
    assert (classifier.frames, classifier.frame_rate) == (frames, rate)
    assert classifier.input_size == (side, side)
    assert classifier.mean[0] == red
    assert classifier.keeps_aspect == any_shape
    assert classifier.classes == len(classifier.categories) == KINETICS
    assert "playing guitar" in classifier.categories
    assert not classifier.takes_pictures
    assert not any(module.training for module in classifier.net.modules())


def test_random_weights_are_the_same_each_time_and_disturb_nobody() -> None:
    first = load_classifier("s3d", "random").net.state_dict()
    torch.rand(1)
    before = torch.get_rng_state()
    second = load_classifier("s3d", "random").net.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert first["classifier.1.weight"].std() > 0
    assert torch.equal(torch.get_rng_state(), before)


def fed(**how: Any) -> Classifier:
    settings = {
        "name": "fed",
        "net": nn.Identity(),
        "device": "cpu",
        "classes": 2,
        "categories": (),
        "takes_pictures": False,
        "frames": 4,
        "frame_rate": 15.0,
        "input_size": (112, 112),
    }
    return Classifier(**settings | how)


def test_windows_become_normalised_clips() -> None:
    windows = torch.zeros(2, 4, 6, 8, 3, dtype=torch.uint8)
    windows[1, 2, 3, 5] = torch.tensor([255, 51, 0])
    inputs = fed(mean=(0.5, 0.2, 0.1), std=(0.5, 0.1, 0.2)).inputs(windows)
    assert inputs.shape == (2, 3, 4, 6, 8)
    assert inputs.dtype == torch.float32
    assert inputs.is_contiguous()
    torch.testing.assert_close(inputs[1, :, 2, 3, 5], torch.tensor([1.0, 0.0, -0.5]))
    torch.testing.assert_close(inputs[0, :, 2, 3, 5], torch.tensor([-1.0, -2.0, -0.5]))
    assert windows[1, 2, 3, 5, 0] == 255


def test_windows_of_one_frame_become_pictures_for_a_network_of_pictures() -> None:
    windows = torch.full((2, 1, 6, 8, 3), 255, dtype=torch.uint8)
    inputs = fed(takes_pictures=True, frames=1).inputs(windows)
    torch.testing.assert_close(inputs, torch.ones(2, 3, 6, 8))


@pytest.mark.parametrize(
    ("width", "height", "pixels", "size"),
    [
        (640, 640, 1, (112, 112)),
        (1920, 1080, 1, (80, 144)),
        (1080, 1920, 1, (144, 80)),
        (720, 576, Fraction(64, 45), (80, 144)),
        (4000, 10, 1, (64, 224)),
    ],
)
def test_clips_keep_their_shape_where_the_network_lets_them(
    width: int, height: int, pixels: Fraction, size: tuple[int, int]
) -> None:
    clip: Any = SimpleNamespace(width=width, height=height, sample_aspect_ratio=pixels)
    assert fed(keeps_aspect=True).size_for(clip) == size
    assert fed(keeps_aspect=False).size_for(clip) == (112, 112)


def test_a_network_that_keeps_shapes_takes_them() -> None:
    classifier = load_classifier("mc3_18", "random")
    windows = torch.randint(256, (1, 2, 32, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert classifier.net(classifier.inputs(windows)).shape == (1, KINETICS)


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_fine_tuned_network_has_the_classes_that_its_file_has(
    ending: str, tmp_path: Path
) -> None:
    trained = models.get_model("s3d", num_classes=12).state_dict()
    file = tmp_path / f"trained{ending}"
    if ending == ".pth":
        saved({"state_dict": {f"module.{key}": held for key, held in trained.items()}}, file)
    else:
        save_file(trained, file)
    classifier = load_classifier("s3d", file)
    held = classifier.net.state_dict()
    assert classifier.classes == 12
    assert classifier.categories == ()
    assert held.keys() == trained.keys()
    assert all(torch.equal(held[key], trained[key]) for key in trained)


@pytest.mark.parametrize("name", ["r3d_18", "mvit_v2_s", "swin3d_t"])
def test_the_prediction_layer_of_a_file_is_found_in_every_network(
    name: str, tmp_path: Path
) -> None:
    file = saved(weights_of(name, 3), tmp_path / "trained.pt")
    classifier = load_classifier(name, file)
    assert classifier.classes == 3
    assert not any(tensor.is_meta for tensor in classifier.net.state_dict().values())


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    halved = {key: tensor.half() for key, tensor in weights_of("mc3_18", 3).items()}
    classifier = load_classifier("mc3_18", saved(halved, tmp_path / "half.pt"))
    assert {of.dtype for of in classifier.net.parameters()} == {torch.float32}


def test_weights_of_another_network_are_told_by_what_does_not_fit(tmp_path: Path) -> None:
    state = weights_of("r3d_18")
    del state["fc.bias"]
    state["stem.0.weight"] = torch.zeros(64, 3, 1, 7, 7)
    state |= {f"extra.{number}": torch.zeros(1) for number in range(4)}
    file = saved(state, tmp_path / "odd.pt")
    with pytest.raises(LookhearError) as caught:
        load_classifier("r3d_18", file)
    assert str(caught.value) == (
        f"{file}: these weights do not fit r3d_18: 1 missing (fc.bias), "
        "4 not known (extra.0, extra.1, extra.2 and 1 more), 1 of another shape (stem.0.weight: "
        "(64, 3, 1, 7, 7) where (64, 3, 3, 7, 7) is needed); give those of this network"
    )


@pytest.mark.parametrize("head", [torch.tensor(1.0), torch.zeros(0, 512), torch.zeros(7)])
def test_a_prediction_layer_of_no_sense_is_of_another_shape(head: Tensor, tmp_path: Path) -> None:
    file = saved(weights_of("mc3_18") | {"fc.weight": head}, tmp_path / "odd.pt")
    with pytest.raises(LookhearError, match=r"of another shape \(fc\.weight"):
        load_classifier("mc3_18", file)


def test_unreadable_weights_are_one_line(tmp_path: Path) -> None:
    page = tmp_path / "weights.pth"
    page.write_text("<!DOCTYPE html><html>sign in</html>")
    whole = saved(nn.Linear(2, 2), tmp_path / "module.pth")
    missing = tmp_path / "missing.pth"
    cases = {page: "cannot be read", whole: "more than weights", missing: "no such file"}
    for file, complaint in cases.items():
        with pytest.raises(LookhearError, match=rf"^[^\n]*{complaint}[^\n]*\Z"):
            load_classifier("mc3_18", file)


def test_weights_that_cannot_be_downloaded_are_one_line(
    offline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LookhearError) as caught:
        load_classifier("r3d_18")
    line = str(caught.value)
    assert line.startswith("r3d_18: its published weights cannot be downloaded (URLError: ")
    assert line.endswith("give --weights FILE, or --weights random for an untrained network")
    assert "\n" not in line
    assert not list(offline.iterdir())
    assert capsys.readouterr().out == ""  # where results go


def test_published_weights_that_are_there_already_need_no_internet(offline: Path) -> None:
    saved(weights_of("mc3_18"), offline / Path(MC3_18_Weights.DEFAULT.url).name)
    classifier = load_classifier("mc3_18")
    assert float(classifier.net.state_dict()["fc.weight"].mean()) == 0.5
    assert classifier.categories == tuple(MC3_18_Weights.DEFAULT.meta["categories"])


def test_classes_are_named_by_a_file(tmp_path: Path) -> None:
    weights = saved(weights_of("mc3_18", 3), tmp_path / "trained.pt")
    names = tmp_path / "names.txt"
    names.write_text("run\njump\nfall\n")
    assert load_classifier("mc3_18", weights, names).categories == ("run", "jump", "fall")
    with pytest.raises(LookhearError, match=r"names\.txt: holds 3 names, but mc3_18 has 400"):
        load_classifier("mc3_18", "random", names)


OWN = '''
import torch
from torch import nn

def clips():
    net = nn.Sequential(nn.Conv3d(3, 5, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    return net.train()

def pictures():
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def told():
    net = clips()
    net.frames, net.frame_rate, net.input_size = 8, 25, [24, 32]
    net.categories = ["a", "b", "c", "d", "e"]
    return net

class Means(nn.Module):
    """Takes clips without any convolution."""
    frames = 4
    def forward(self, clips):
        self.seen = clips.shape
        return clips.mean((2, 3, 4))

def changed(**attributes):
    net = clips()
    for name, value in attributes.items():
        setattr(net, name, value)
    return net

frames = lambda: changed(frames="16")
no_frames = lambda: changed(frames=0)
rate = lambda: changed(frame_rate=-1.0)
size = lambda: changed(input_size=112)
categories = lambda: changed(categories="abcde")
few_categories = lambda: changed(categories=["a", "b"])
needs_more = lambda: nn.Sequential(nn.Conv3d(3, 5, (17, 1, 1)), nn.Flatten())
maps = lambda: nn.Conv3d(3, 5, 3)
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "watchers_of_mine", raising=False)
    (tmp_path / "watchers_of_mine.py").write_text(OWN)
    return "watchers_of_mine"


def test_a_network_of_ones_own_is_fed_as_it_says(own: str) -> None:
    told = load_classifier(f"{own}:told")
    assert (told.frames, told.frame_rate, told.input_size) == (8, 25.0, (24, 32))
    assert told.categories == ("a", "b", "c", "d", "e")
    assert told.classes == 5
    assert (told.mean, told.std) == ((0, 0, 0), (1, 1, 1))


def test_a_network_of_ones_own_that_says_nothing_takes_clips_if_it_has_time(own: str) -> None:
    clips, pictures = load_classifier(f"{own}:clips"), load_classifier(f"{own}:pictures")
    assert (clips.takes_pictures, clips.frames, clips.frame_rate) == (False, 16, 15)
    assert (pictures.takes_pictures, pictures.frames) == (True, 1)
    assert clips.input_size == pictures.input_size == (112, 112)
    assert (clips.classes, clips.categories) == (5, ())
    assert not clips.net.training


def test_a_network_with_frames_takes_clips_whatever_it_is_made_of(own: str) -> None:
    classifier = load_classifier(f"{own}:Means")
    assert not classifier.takes_pictures
    assert classifier.net.seen == (1, 3, 4, 112, 112)


def test_a_network_of_ones_own_gets_weights_as_strictly(own: str, tmp_path: Path) -> None:
    state = {"0.weight": torch.ones(5, 3, 3, 3, 3), "0.bias": torch.arange(5.0)}
    file = saved(state, tmp_path / "mine.pt")
    held = load_classifier(f"{own}:clips", file).net.state_dict()
    torch.testing.assert_close(dict(held), state)
    with pytest.raises(
        LookhearError, match=r"mine\.pt: .* do not fit watchers_of_mine:pictures: 1"
    ):
        load_classifier(f"{own}:pictures", file)


@pytest.mark.parametrize(
    ("factory", "complaint"),
    [
        ("frames", "its frames must be a whole number above 0, not '16'"),
        ("no_frames", "its frames must be a whole number above 0, not 0"),
        ("rate", "its frame_rate must be a number above 0, not -1.0"),
        ("size", r"its input_size must be \(height, width\) in pixels, not 112"),
        ("categories", "its categories must be names, one a class, not 'abcde'"),
        ("few_categories", "has 2 categories, but gives 5 logits"),
        ("needs_more", r"fails on clips \(1, 3, 16, 112, 112\): .*; give it the attributes frames"),
        ("maps", r"gives no logits \(1, classes\) of clips"),
    ],
)
def test_a_network_of_ones_own_that_cannot_be_fed_is_one_line(
    own: str, factory: str, complaint: str
) -> None:
    with pytest.raises(LookhearError, match=rf"^network watchers_of_mine:{factory}: {complaint}"):
        load_classifier(f"{own}:{factory}")


@pytest.mark.parametrize("kind", [S, SA])
def test_a_saved_s_or_sa_is_a_classifier_of_pictures(
    kind: Callable[..., Any], tmp_path: Path
) -> None:
    hearing = {"sound_encoder": "light", "width": 8, "hidden": 0} if kind is SA else {}
    kind(**TINY, **hearing).save_pretrained(tmp_path / "saved")
    classifier = load_classifier(str(tmp_path / "saved"))
    assert classifier.takes_pictures
    assert (classifier.frames, classifier.frame_rate, classifier.input_size) == (1, 3, (48, 64))
    assert classifier.categories == ("Bark", "Flute")
    inputs = classifier.inputs(torch.randint(256, (2, 1, 48, 64, 3), dtype=torch.uint8))
    assert find_layer(classifier.net, inputs) == "places"
    assert class_activation(classifier.net, inputs, torch.tensor([0, 1]), "GradCAM").ndim == 3


def test_saved_networks_that_do_not_serve_are_one_line(tmp_path: Path, tiny_model: Path) -> None:
    S(**TINY).save_pretrained(tmp_path / "S")
    ST(**TINY, width=8, hidden=0).save_pretrained(tmp_path / "ST")
    SPlus(**TINY, width=8, hidden=0).save_pretrained(tmp_path / "S+")
    cases: list[tuple[Path, str | None, str]] = [
        (tmp_path / "ST", None, "is an ST, .* give an S or SA"),
        (tmp_path / "S+", None, r"is an S\+, .* give an S or SA"),
        (tmp_path / "S", "more.pt", "has its own; leave --weights out"),
        (tmp_path, None, "lacks config.json"),
        (tiny_model, None, "its network is STA, not S or SA or ST"),
    ]
    for folder, weights, complaint in cases:
        with pytest.raises(LookhearError, match=rf"^[^\n]*{complaint}[^\n]*\Z"):
            load_classifier(str(folder), weights)


def test_an_unknown_network_is_told_the_choices_the_likeliest_first() -> None:
    for asked, likeliest in {"r3d18": "r3d_18", "Swin_t": "swin3d_t", "mvit": "mvit_v"}.items():
        with pytest.raises(
            LookhearError, match=rf"network {asked}: unknown; .* {likeliest}"
        ) as caught:
            load_classifier(asked)
        choices = str(caught.value)
        assert choices.split("there are ")[1].startswith(likeliest)
        assert all(name in choices for name in (*NETWORKS, "MODULE:FACTORY", "folder"))


@pytest.mark.parametrize("device", ["cuda:99", "nowhere"])
def test_an_unusable_device_is_one_line(device: str) -> None:
    with pytest.raises(LookhearError, match=f"^device {device}: cannot be used"):
        load_classifier("mc3_18", "random", device=device)


@pytest.mark.parametrize("ending", ["softmax", "crops", "sigmoid", "sigmoids"])
def test_probabilities_are_known_as_such_and_taken_as_they_are(
    ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    classifier = load_classifier(f"wrapped_nets:{ending}", device="cpu")
    assert classifier.outputs == "probabilities"
    assert len(caplog.messages) == 1
    assert "gives probabilities" in caplog.messages[0]
    given = torch.tensor([[0.25] * classifier.classes])
    assert torch.equal(classifier.probabilities(given), given)


def test_logits_become_probabilities_and_one_alone_is_that_of_its_class(
    caplog: pytest.LogCaptureFixture,
) -> None:
    several = load_classifier("wrapped_nets:logits", device="cpu")
    torch.testing.assert_close(several.probabilities(torch.zeros(1, 4)), torch.full((1, 4), 0.25))
    alone = load_classifier("wrapped_nets:logit", device="cpu")
    scores = torch.tensor([[-1.0], [2.0]])
    torch.testing.assert_close(alone.probabilities(scores), torch.sigmoid(scores))
    assert not caplog.messages


def test_what_a_network_gives_can_be_said(caplog: pytest.LogCaptureFixture) -> None:
    told = load_classifier("wrapped_nets:softmax", device="cpu", outputs="logits")
    assert told.outputs == "logits"
    assert not caplog.messages
    with pytest.raises(LookhearError, match="--outputs scores: must be logits or probabilities"):
        load_classifier("wrapped_nets:softmax", outputs="scores")


def test_one_logit_may_have_the_name_of_its_absence_too(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("quiet\nloud\n")
    classifier = load_classifier("wrapped_nets:logit", None, tmp_path / "names.txt", "cpu")
    assert classifier.categories == ("loud",)


@pytest.mark.parametrize("how", ["parallel", "compiled", "Trained"])
def test_a_wrapped_network_is_fed_as_it_says_itself(how: str) -> None:
    classifier = load_classifier(f"wrapped_nets:{how}", device="cpu")
    assert (classifier.frames, classifier.input_size) == (6, (32, 32))
