from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from conftest import TINY
from lookhear.maps import enlarge, resize
from lookhear.nets.sound import NetVLAD, VGGSoundEncoder
from lookhear.stanet.blocks import MatchingGate, TimeGate
from lookhear.stanet.recipes.attending import RING
from lookhear.stanet.sta import STA, Seen, STAHead
from lookhear.training.losses import fixation_losses

GOLDEN = Path(__file__).parents[1] / "golden"
HEARING: dict[str, Any] = TINY | {"sound_encoder": "light"}
SWITCH: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": TINY["backbone_args"],
    "sound_encoder": "light",
    "input_size": [64, 96],
}

# Names in the published code, and here.
PUBLISHED_NAMES = {
    "extra_convs": "reduce_coarse",
    "extra_convsd1": "reduce_middle",
    "extra_convsd0": "reduce_fine",
    "extra_conv_fusion": "fuse",
    "extra_ConvGRU.reset_gate": "gru.reset",
    "extra_ConvGRU.update_gate": "gru.update",
    "extra_ConvGRU.out_gate": "gru.candidate",
    "extra_gates": "self_attention.gate",
    "extra_projf": "self_attention.query",
    "extra_projg": "self_attention.key",
    "extra_projh": "self_attention.value",
    "extra_gateav.0": "sound_gate.gate.0",
    "extra_gateav.2": "sound_gate.gate.2",
    "extra_lineara": "sound_gate.sound",
    "extra_linearv": "sound_gate.picture",
    "extra_convv": "sound_gate.maps",
    "extra_refineST.0": "time_gate.over_time",
    "extra_refineST.1": "time_gate.over_space.0",
    "extra_refineST.2": "time_gate.over_space.1",
    "extra_refine1.0": "refine_middle",
    "extra_refine0.0": "refine_fine",
    "extra_out1": "out_middle",
    "extra_out0": "out_fine",
}


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    with np.load(GOLDEN / "sta.npz") as golden:
        return {key: torch.from_numpy(golden[key]) for key in golden.files}


@pytest.fixture(scope="module")
def published_head(published: dict[str, Tensor]) -> STAHead:
    head = STAHead((8, 12, 16), width=32, sound_channels=64, time_mixing="published")
    head.load_state_dict(
        {
            f"{ours}.{kind}": published[key]
            for theirs, ours in PUBLISHED_NAMES.items()
            for kind in ("weight", "bias")
            if (key := f"weight/{theirs}.{kind}") in published
        }
    )
    return head


def stand_in_features(published: dict[str, Tensor], picture: Tensor) -> tuple[Tensor, ...]:
    features, x = [], picture
    for level, stride in enumerate((4, 2, 2)):
        weight, bias = (published[f"weight/features{level}.{kind}"] for kind in ("weight", "bias"))
        x = F.conv2d(x, weight, bias, stride=stride, padding=1)
        features.append(x)
    return tuple(features)


@torch.inference_mode()
def test_the_head_equals_the_published_code(
    published: dict[str, Tensor], published_head: STAHead
) -> None:
    seen = [
        published_head.see(
            stand_in_features(published, published[f"input/image_{i}"]),
            published[f"input/audio_{i}"],
        )
        for i in range(3)
    ]
    for before, target, after in RING:
        outputs = published_head.attend(seen[before], seen[target], seen[after])
        for logits, step in zip(outputs, (1, 0), strict=True):
            upsampled = F.interpolate(logits, (96, 96), mode="bilinear")
            expected = published[f"output/out{target}_{step}"]
            torch.testing.assert_close(upsampled, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_network_gives_the_sigmoid_of_the_published_logits_at_the_size_of_the_frames(
    published: dict[str, Tensor], published_head: STAHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = STA(**HEARING).eval()
    net.head, net.sound_encoder = published_head, torch.nn.Identity()  # type: ignore[assignment]
    monkeypatch.setattr(net, "features", lambda frames: stand_in_features(published, frames))
    frames, sounds = (
        torch.stack([published[f"input/{kind}_{i}"] for i in range(3)], 1)
        for kind in ("image", "audio")
    )
    expected = torch.sigmoid(published["output/out1_0"])[:, 0]
    torch.testing.assert_close(net(frames, sounds), expected, atol=1e-6, rtol=0)
    # What runs it over a clip gives attention on its grid, which is enlarged to the same.
    seen = net.see(frames.flatten(0, 1), sounds.flatten(0, 1))
    small = net.attend(*(seen.at(slice(i, None, 3)) for i in range(3)))
    large = enlarge(small.numpy(), (96, 96))
    np.testing.assert_allclose(large, expected, atol=1e-6)
    assert np.abs(resize(small.numpy(), (96, 96)) - expected.numpy()).max() > 1e-3


@torch.inference_mode()
def test_a_closed_sound_gate_equals_no_sound(
    published: dict[str, Tensor], published_head: STAHead
) -> None:
    features = stand_in_features(published, published["input/image_0"])
    sound = published["input/audio_0"]
    silent = published_head.see(features)
    closed = published_head.see(features, sound, switch=torch.zeros(2))
    one_open = published_head.see(features, sound, switch=torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(closed.heard, silent.heard)
    torch.testing.assert_close(one_open.heard[1], silent.heard[1])
    torch.testing.assert_close(one_open.heard[0], published_head.see(features, sound).heard[0])
    assert not torch.allclose(one_open.heard[0], silent.heard[0])


def test_netvlad_equals_the_published_code() -> None:
    with np.load(GOLDEN / "netvlad.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    pool = NetVLAD()
    pool.load_state_dict(
        {key.removeprefix("weight/"): arrays[key] for key in arrays if key.startswith("weight/")}
    )
    pooled = pool(arrays["input/features"])
    torch.testing.assert_close(pooled, arrays["output/vlad"], atol=1e-5, rtol=0)


def test_the_clean_time_gate_keeps_channels_apart_in_time() -> None:
    # Over time, a gate that sums each channel's three times; over space, one that copies.
    gate = TimeGate(2, "clean")
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.zero_()
        for channel in range(2):
            gate.over_time.weight[channel, channel] = 1
            for conv in gate.over_space:
                conv.weight[channel, channel, 0, 1, 1] = 1
    before, target, after = torch.rand(3, 1, 2, 4, 5)
    expected = torch.sigmoid(before + target + after)
    torch.testing.assert_close(gate(before, target, after), expected)
    gate.mixing = "published"
    assert not torch.allclose(gate(before, target, after), expected)


def test_a_normalised_time_gate_tells_what_moves_however_large_features_and_weights_are() -> None:
    torch.manual_seed(0)
    gate = TimeGate(8, "normalised")
    still = torch.rand(1, 8, 9, 16)
    thing = 3 * torch.rand(1, 8, 3, 3)
    before, target, after = still.clone(), still.clone(), still.clone()
    before[..., 3:6, 2:5], target[..., 3:6, 6:9], after[..., 3:6, 10:13] = thing, thing, thing
    with torch.no_grad():
        (moved,) = gate(before, target, after)
        for layer in (gate.over_time, *gate.over_space):
            layer.weight *= 100
            layer.bias.zero_()
        (of_large,) = gate(1000 * before, 1000 * target, 1000 * after)
    for gated in (moved, of_large):
        assert gated.std() > 0.1
        assert 0.02 < gated.median() < 0.98
        where_it_is, elsewhere = gated[..., 3:6, 6:9], gated[..., 6:, 13:]
        assert (where_it_is - 0.5).abs().mean() > 2 * (elsewhere - 0.5).abs().mean()


def alike_but_one_moves(count: int) -> tuple[Tensor, Tensor]:
    """Features of moments, (N, 3, 4, 12, 20), of two like things; and where the moving one is."""
    frames, looked_at = 0.05 * torch.randn(count, 3, 4, 12, 20), torch.zeros(count, 12, 20)
    for moment in range(count):
        look = torch.rand(4, 1, 1)
        moving, still = (3, 13) if moment % 2 else (13, 3)  # left and right
        for place, step in ((moving, 2), (still, 0)):
            top = int(torch.randint(10, ()))
            for time in range(3):
                left = place + (time - 1) * step
                frames[moment, time, :, top : top + 3, left : left + 3] += look
            if step:
                looked_at[moment, top : top + 3, place : place + 3] = 1
    return frames, looked_at


def test_a_network_trained_from_nothing_learns_by_the_normalised_gate_what_moves() -> None:
    """By the published gate it does not: it looks at both things, whether they move or not."""
    torch.manual_seed(0)
    head = STAHead((4, 4, 4), 8, time_mixing="normalised")
    optimizer = torch.optim.AdamW(head.parameters(), 4e-3)

    def losses(frames: Tensor, looked_at: Tensor, times: Sequence[int]) -> dict[str, Tensor]:
        features = frames[:, times].flatten(0, 1)
        seen = head.see((F.interpolate(features, scale_factor=2), features, features))
        _, fine = head.attend(*(seen.at(slice(time, None, 3)) for time in range(3)))
        return fixation_losses(fine[:, 0], looked_at)

    for _ in range(80):
        terms = losses(*alike_but_one_moves(16), (0, 1, 2))
        optimizer.zero_grad()
        (terms["bce"] + terms["kl"]).backward()
        optimizer.step()
    with torch.no_grad():
        test = alike_but_one_moves(64)
        with_time, without = (-losses(*test, times)["nss"] for times in ((0, 1, 2), (1, 1, 1)))
    assert with_time > 1.5 * without


def test_an_unknown_time_mixing_is_refused() -> None:
    with pytest.raises(ValueError, match="published"):
        TimeGate(2, "mixed")  # type: ignore[arg-type]


@torch.inference_mode()
@pytest.mark.parametrize("sound_encoder", [None, "vggsound"])
def test_moments_that_share_frames_equal_moments_by_themselves(sound_encoder: str | None) -> None:
    torch.manual_seed(0)
    net = STA(**TINY, sound_encoder=sound_encoder).eval()
    frames = torch.rand(5, 3, 96, 128)
    spectrograms = torch.randn(5, 257, 98) if sound_encoder else None
    seen = net.see(frames, spectrograms)
    shared = net.attend(seen.at(slice(0, 3)), seen.at(slice(1, 4)), seen.at(slice(2, 5)))
    moments = torch.stack([frames[i : i + 3] for i in range(3)])
    sounds = torch.stack([spectrograms[i : i + 3] for i in range(3)]) if sound_encoder else None
    alone = net(moments, sounds)
    np.testing.assert_allclose(enlarge(shared.numpy(), (96, 128)), alone, atol=1e-4)
    assert 0 < alone.min() < alone.max() < 1


@torch.inference_mode()
def test_sound_changes_what_a_hearing_network_says() -> None:
    torch.manual_seed(0)
    net = STA(**TINY, sound_encoder="vggsound").eval()
    frames = torch.rand(1, 3, 3, 96, 128)
    quiet, loud = torch.randn(2, 1, 3, 257, 98)
    assert not torch.equal(net(frames, quiet), net(frames, loud))
    assert not torch.equal(net(frames, quiet), net(frames))


@torch.inference_mode()
def test_any_size_is_seen_and_the_papers_gives_its_grid() -> None:
    net = STA(**TINY, sound_encoder=None).eval()
    seen = net.see(torch.rand(1, 3, 356, 356))
    assert [part.shape[-1] for part in seen] == [45, 23, 12, 12, 12]
    assert net.attend(seen, seen, seen).shape == (1, 45, 45)


def test_vggsound_hears_one_second_as_8192_numbers() -> None:
    vector = VGGSoundEncoder().eval()(torch.randn(2, 257, 98))
    assert vector.shape == (2, 8192)
    torch.testing.assert_close(vector.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("backbone", "args", "complaint"),
    [
        ("no_such_net", {}, "no model"),
        ("vit_tiny_patch16_224", {}, "strides"),
        ("resnet10t", {"checkpoint_path": "weights.pth"}, "not allowed"),
        ("resnet10t", {"pretrained": True}, "not allowed"),
        ("hf-hub:someone/something", {}, "no model"),
    ],
)
def test_backbones_that_do_not_fit_or_would_fetch_are_refused(
    backbone: str, args: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        STA(backbone=backbone, backbone_args=args, sound_encoder=None)


@torch.inference_mode()
def test_a_folded_network_says_the_same_and_leaves_the_original() -> None:
    torch.manual_seed(0)
    net = STA(**TINY, sound_encoder=None)
    net(torch.rand(4, 3, 3, 96, 128))  # moves the norms' means away from 0
    net.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    moments = torch.rand(2, 3, 3, 96, 128)
    folded = net.folded()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.backbone.modules())
    torch.testing.assert_close(folded(moments), net(moments), atol=1e-5, rtol=0)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, before[name], msg=name)


@torch.inference_mode()
@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "convnext_atto", "vgg11"])
def test_backbones_of_other_families_fit(backbone: str) -> None:
    net = STA(backbone=backbone, sound_encoder=None, width=8).eval()
    seen = net.see(torch.rand(1, 3, 96, 128))
    assert isinstance(seen, Seen)
    assert seen.fine.shape == (1, 8, 12, 16)
    assert seen.coarse.shape == (1, 8, 3, 4)


@torch.inference_mode()
def test_small_pictures_are_seen_at_smaller_strides() -> None:
    net = STA(**TINY, sound_encoder=None, strides=(4, 8, 16)).eval()
    seen = net.see(torch.rand(1, 3, 96, 128))
    assert [part.shape[-2:] for part in seen[:3]] == [(24, 32), (12, 16), (6, 8)]
    assert net.attend(seen, seen, seen).shape == (1, 24, 32)


@torch.inference_mode()
@pytest.mark.parametrize("sound_gate", ["report", "report-fine", "released", "matching"])
def test_every_sound_gate_can_be_closed(sound_gate: str) -> None:
    torch.manual_seed(0)
    net = STA(**HEARING, sound_gate=sound_gate).eval()  # type: ignore[arg-type]
    frames, sound = torch.rand(2, 3, 96, 128), torch.randn(2, 257, 98)
    silent, heard = net.see(frames), net.see(frames, sound)
    one_open = net.see(frames, sound, switch=torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(one_open.heard[0], heard.heard[0])
    torch.testing.assert_close(one_open.heard[1], silent.heard[1])
    assert not torch.allclose(heard.heard[0], silent.heard[0])


def test_the_matching_gate_learns_which_thing_makes_which_sound() -> None:
    # Two things stand side by side, each with a sound of its own.
    torch.manual_seed(0)
    gate = MatchingGate(8, 12, kinds=4)
    things, sounds = torch.randn(2, 8), torch.randn(2, 12)
    picture = things.T[None, :, None].expand(2, -1, 1, 2)
    optimizer = torch.optim.Adam(gate.parameters(), 1e-2)
    for _ in range(80):
        loss = F.binary_cross_entropy(gate(picture, sounds)[:, 0, 0], torch.eye(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        torch.testing.assert_close(gate(picture, sounds)[:, 0, 0].round(), torch.eye(2))
        swapped = gate(picture.flip(-1), sounds)  # it goes by the thing, not by the place
        torch.testing.assert_close(swapped, gate(picture, sounds).flip(-1))


@torch.inference_mode()
def test_a_kind_that_is_not_seen_does_not_veto_one_that_is() -> None:
    gate = MatchingGate(2, 1, kinds=2)
    gate.picture.weight.copy_(torch.eye(2)[:, :, None, None] * 40)
    gate.picture.bias.fill_(-20)
    gate.sound.weight.zero_()
    picture = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]])  # the first kind on the left, no second
    for share in (0.9, 0.3):  # of the first kind in what is heard
        gate.sound.bias.copy_(torch.tensor([share, 1 - share]).log())
        left, right = gate(picture, torch.zeros(1, 1))[0, 0, 0]
        odds = share * torch.tensor(20 * gate.SCALE).exp()
        torch.testing.assert_close(left, odds / (1 + odds), atol=1e-2, rtol=0)
        assert right < 0.1


def switched(belongs: list[float]) -> STA:
    """A network whose switch says how probably each sound belongs."""
    torch.manual_seed(0)
    net = STA(**HEARING, switch=SWITCH).eval()
    assert net.switch is not None
    net.switch.belongs = lambda *_: torch.tensor(belongs)  # type: ignore[method-assign]
    return net


@torch.inference_mode()
def test_a_sound_that_does_not_belong_is_not_heard() -> None:
    frames, sound = torch.rand(2, 3, 96, 128), torch.randn(2, 257, 98)
    net = switched([0.1, 0.9])
    silent, seen = net.see(frames), net.see(frames, sound)
    torch.testing.assert_close(seen.heard[0], silent.heard[0])
    assert not torch.allclose(seen.heard[1], silent.heard[1])
    half_open = net.see(frames, sound, switch=torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(half_open.heard, silent.heard)
    net.switch = None
    torch.testing.assert_close(seen.heard[1], net.see(frames, sound).heard[1])


@torch.inference_mode()
def test_a_switch_with_released_weights_opens_the_gate_where_its_second_logit_is_above_0() -> None:
    torch.manual_seed(0)
    net = STA(**HEARING, switch=SWITCH | {"activation": "sigmoid"}).eval()
    assert net.switch is not None
    logits = torch.tensor([[-5.0, -0.1], [5.0, 0.1]])  # by softmax it would be the other way round
    net.switch.forward = lambda *_: logits  # type: ignore[method-assign]
    frames, sound = torch.rand(2, 3, 96, 128), torch.randn(2, 257, 98)
    silent, seen = net.see(frames), net.see(frames, sound)
    torch.testing.assert_close(seen.heard[0], silent.heard[0])
    assert not torch.allclose(seen.heard[1], silent.heard[1])


@torch.inference_mode()
def test_in_training_every_sound_is_heard() -> None:
    frames, sound = torch.rand(2, 3, 96, 128), torch.randn(2, 257, 98)
    net = switched([0.0, 0.0]).train()
    seen, silent = net.see(frames, sound), net.see(frames)
    net.switch = None
    torch.testing.assert_close(seen.heard, net.see(frames, sound).heard)
    assert not torch.allclose(seen.heard, silent.heard)


@torch.inference_mode()
def test_a_network_is_saved_and_folded_with_its_switch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = STA(**HEARING, switch=SWITCH)
    assert net.switch is not None
    moments, sounds = torch.rand(4, 3, 3, 96, 128), torch.randn(4, 3, 257, 98)
    net(moments, sounds)  # moves the norms' means away from 0
    net.switch(moments[:, 0], sounds[:, 0])
    net.eval()
    net.save_pretrained(tmp_path)
    loaded = STA.from_pretrained(tmp_path, strict=True).eval()
    folded = net.folded()
    assert loaded.switch is not None
    assert folded.switch is not None
    assert net.switch is not folded.switch
    for part in (folded.backbone, folded.switch.backbone):
        assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in part.modules())
    heard = set()
    # What belongs is for chance to say in an untrained network: all of it, then none.
    for bias in (50.0, -50.0):
        for other in (net, loaded):
            assert other.switch is not None
            other.switch.head.match.bias[1] = bias
        says = net(moments, sounds)
        assert torch.equal(loaded(moments, sounds), says)
        torch.testing.assert_close(folded(moments, sounds), says, atol=1e-5, rtol=0)
        heard.add(not torch.allclose(says, net(moments), atol=1e-6))
    assert heard == {True, False}


def test_folding_leaves_the_switch_of_a_network_without_norms_as_it_was() -> None:
    net = STA("vgg11", sound_encoder="light", width=8, switch=SWITCH).eval()
    switch = net.switch
    assert switch is not None
    assert net.folded().switch is not switch
    assert net.switch is switch
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in switch.backbone.modules())


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"strides": (8, 16)}, "three"),
        ({"strides": (8, 16, 48)}, "strides"),
        ({"sound_gate": "open"}, "sound_gate is one of"),
        ({"sound_encoder": None, "switch": SWITCH}, "switch must hear"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        STA(**HEARING | wrong)
