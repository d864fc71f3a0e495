"""STA+: equal to the published code (tests/golden), a look a frame, saved and loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from golden_heads import load_golden
from lookhear.errors import LookhearError
from lookhear.maps import enlarge
from lookhear.nets.saved import load_model
from lookhear.nets.watching import Watch, Watcher, moment
from lookhear.stanet.sta_plus import STAPlus, STAPlusHead
from tiny_sources import TINY

TINY_PLUS: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": TINY["backbone_args"],
    "width": 6,
    "hidden_width": 8,
    "hidden": 1,
    "input_size": (64, 96),
}
HEARING: dict[str, Any] = TINY_PLUS | {"sound_encoder": "light"}
DEAF: dict[str, Any] = TINY_PLUS | {"sound_encoder": None}
SWITCH: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": TINY["backbone_args"],
    "sound_encoder": "light",
    "input_size": [48, 64],
}
each_net = pytest.mark.parametrize(
    "arguments",
    [DEAF, HEARING, HEARING | {"sound_gate": "matching", "time_mixing": "normalised"}],
    ids=["deaf", "hearing", "not as published"],
)


@torch.inference_mode()
def test_sta_plus_equals_the_published_code() -> None:
    head = STAPlusHead(16, sound_channels=64, time_mixing="published")
    head.reduce = nn.Conv2d(16, 28, 1)  # the golden's
    golden = load_golden("sta_plus", "sta-plus", head)
    head.eval()
    nodes = []
    for node in range(3):
        sound, switch = golden[f"input/audio_{node}"], golden[f"input/switch_{node}"].flatten()
        frames = [golden[f"input/features_{node}_{frame}"] for frame in range(3)]
        before, after = head.reduce(frames[0]), head.reduce(frames[2])
        nodes.append(head.join(before, head.see((frames[1],), sound, switch), after))
    logits = head.attend(*nodes)
    for node in range(3):
        expected = golden[f"output/map_sal{node}"]
        torch.testing.assert_close(logits[:, node : node + 1], expected, atol=1e-5, rtol=0)


def moments(count: int) -> tuple[Tensor, Tensor]:
    """Frames and spectrograms of graphs."""
    return torch.rand(count, 3, 3, 3, 64, 96), torch.randn(count, 3, 257, 98)


def warmed(net: STAPlus) -> STAPlus:
    """Move the norms' means away from 0, and let maps differ from place to place."""
    with torch.no_grad():
        for _ in range(3):
            net.train()(*moments(2))
        net.head.out.weight *= 20
    return net.eval()


@torch.inference_mode()
@each_net
def test_attention_is_of_the_size_of_frames_and_of_no_other_graph(
    arguments: dict[str, Any],
) -> None:
    torch.manual_seed(0)
    net = warmed(STAPlus(**arguments))
    frames, sounds = moments(3)
    together = net(frames, sounds)
    assert together.shape == (3, 64, 96)
    assert 0 < together.min() < together.max() < 1
    torch.testing.assert_close(net(frames[1:2], sounds[1:2])[0], together[1], atol=1e-5, rtol=0)


@torch.inference_mode()
@each_net
def test_a_look_a_frame_and_nine_frames_a_moment_say_what_forward_says(
    arguments: dict[str, Any],
) -> None:
    torch.manual_seed(0)
    net = warmed(STAPlus(**arguments))
    pictures = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    sounds = torch.randn(12, 257, 98)
    watcher = net.watcher()
    assert isinstance(watcher, Watcher)
    assert watcher.reach == 4
    watch = Watch(watcher)
    heard = None if watcher.windows is None else sounds.numpy()
    for few in (range(5), range(5, 12)):
        watch.see([*few], pictures[few], None if heard is None else heard[few])
    targets = [4, 5, 7]
    small = watch.attend(moment(target, 12, watcher.reach) for target in targets)
    assert small.shape == (3, 8, 12)
    frames = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    for target, attention in zip(targets, small, strict=True):
        order = [target, target - 3, target + 3]
        graph = torch.stack([frames[at - 1 : at + 2] for at in order])[None]
        alone = net(graph, sounds[order][None])[0]
        np.testing.assert_allclose(enlarge(attention, (64, 96)), alone, atol=1e-4)


@torch.inference_mode()
def test_a_frame_knows_others_and_sounds_of_the_middle_frames_alone() -> None:
    torch.manual_seed(0)
    net = warmed(STAPlus(**HEARING))
    frames, sounds = moments(1)
    says = net(frames, sounds)
    for node in range(3):
        for time in range(3):
            other = frames.clone()
            other[:, node, time] = torch.rand(3, 64, 96)
            assert not torch.equal(net(other, sounds), says)
    louder = sounds.clone()
    louder[:, 1] *= 2
    assert not torch.equal(net(frames, louder), says)
    assert not torch.equal(net(frames), says)


def test_every_parameter_learns_and_all_nodes_are_learnt_from() -> None:
    torch.manual_seed(0)
    net = STAPlus(**HEARING)
    frames, sounds = moments(4)
    nodes = net.nodes(frames, sounds)
    logits = net.head.attend(*(nodes.at(slice(i, None, 3)) for i in range(3)))
    assert logits.shape == (4, 3, 8, 12)
    F.binary_cross_entropy_with_logits(logits, torch.rand_like(logits)).backward()
    gradients = {
        name: torch.tensor(torch.inf) if p.grad is None else p.grad.abs().max()
        for name, p in net.named_parameters()
    }
    # A softmax over positions takes no notice of what is added to all of them.
    for name in ("head.self_attention.query.bias", "head.propagation.key.bias"):
        assert gradients.pop(name) < 1e-6
    assert not [name for name, gradient in gradients.items() if not 0 < gradient < torch.inf]


@torch.inference_mode()
@each_net
def test_a_saved_network_comes_back_and_a_folded_one_says_the_same(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    net = warmed(STAPlus(**arguments))
    net.save_pretrained(tmp_path)
    back = load_model(tmp_path, "cpu")
    assert isinstance(back, STAPlus)
    given = moments(1)
    assert torch.equal(back(*given), net(*given))
    folded = net.folded()
    assert folded is not net
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.backbone.modules())
    torch.testing.assert_close(folded(*given), net(*given), atol=1e-4, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("backbone", ["resnet10t", "vgg11"])
def test_a_switch_closes_the_sound_gate_and_is_saved_and_folded(
    backbone: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    own = {"backbone": backbone, "backbone_args": HEARING["backbone_args"]}
    if backbone == "vgg11":  # without norms
        own["backbone_args"] = {}
    net = STAPlus(**HEARING | own, switch=SWITCH)
    assert net.switch is not None
    frames, sounds = moments(2)
    net.switch(frames[:, 0, 1], sounds[:, 0])  # moves the norms' means away from 0
    net.eval()
    net.save_pretrained(tmp_path)
    back, folded = load_model(tmp_path, "cpu"), net.folded()
    assert isinstance(back, STAPlus)
    assert folded.switch is not net.switch
    assert any(isinstance(m, nn.BatchNorm2d) for m in net.switch.backbone.modules())
    silent = net.see(frames[:, 0, 1])
    for bias, hears in ((50.0, True), (-50.0, False)):
        for other in (net, back, folded):
            assert other.switch is not None
            other.switch.head.match.bias[1] = bias
            heard = other.see(frames[:, 0, 1], sounds[:, 0]).heard
            assert torch.allclose(heard, silent.heard, atol=1e-5) != hears


@torch.inference_mode()
def test_the_switch_sees_pictures_at_its_own_size() -> None:
    net = STAPlus(**HEARING, switch=SWITCH).eval()
    shown = []

    def belongs(frames: Tensor, spectrograms: Tensor) -> Tensor:
        shown.append((frames.shape, spectrograms.shape))
        return torch.tensor([0.9, 0.1])

    assert net.switch is not None
    net.switch.belongs = belongs  # type: ignore[method-assign]
    frames, sounds = torch.rand(2, 3, 64, 96), torch.randn(2, 257, 98)
    switched, silent = net.see(frames, sounds), net.see(frames)
    assert shown == [((2, 3, 48, 64), (2, 257, 98))]
    torch.testing.assert_close(switched.heard[1], silent.heard[1])
    assert not torch.equal(switched.heard[0], silent.heard[0])


def test_a_network_in_training_mode_watches_nothing() -> None:
    with pytest.raises(LookhearError, match="training mode"):
        STAPlus(**DEAF).train().watcher()


def test_pictures_keep_their_shape_if_wanted() -> None:
    assert STAPlus(**DEAF).size_for(100, 300) == (64, 96)
    rows, columns = STAPlus(**DEAF, keep_aspect=True).size_for(100, 300)
    assert (rows % 32, columns % 32) == (0, 0)
    assert columns > 2 * rows


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"stride": 48}, "strides"),
        ({"width": 1}, "width"),
        ({"sound_kinds": 0}, "sound_kinds"),
        ({"sound_gate": "open"}, "sound_gate is one of"),
        ({"sound_encoder": None, "switch": SWITCH}, "switch must hear"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        STAPlus(**HEARING | wrong)
