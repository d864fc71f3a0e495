from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn import functional as F

from conftest import TINY as TINY_STA
from lookhear.media.sound import SAMPLE_RATE
from lookhear.media.spectrogram import log_spectrogram
from lookhear.nets.sound import LightSoundEncoder, ReportSoundEncoder, VGGSoundEncoder
from lookhear.stanet.blocks import SoundGating, UpsampledSoundGate, sound_gate_named
from lookhear.stanet.sources import SA, ST, ClassMaps, S, SAHead, SeenMaps, SHead, STHead
from lookhear.stanet.sta import STA
from tiny_sources import CATEGORIES, LIGHT, LIGHT_SA, TINY, TINY_SA, TINY_ST

GOLDEN = Path(__file__).parents[1] / "golden"
# Names in the published code, and here.
PUBLISHED_NAMES = {
    "extra_convs": "classifier",
    "extra_conv_fusion": "fuse",
    "extra_ConvGRU.reset_gate": "gru.reset",
    "extra_ConvGRU.update_gate": "gru.update",
    "extra_ConvGRU.out_gate": "gru.candidate",
    "extra_gate": "self_attention.gate",
    "extra_projf": "self_attention.query",
    "extra_projg": "self_attention.key",
    "extra_projh": "self_attention.value",
    "extra_refineST.0": "time_gate.over_time",
    "extra_refineST.1": "time_gate.over_space.0",
    "extra_refineST.2": "time_gate.over_space.1",
}
# The report's SA gives extra_convs to the sound.
REPORTED_NAMES = PUBLISHED_NAMES | {
    "extra_video_d": "classifier",
    "extra_audio_d": "sound_gate.sound",
    "Aup.0": "sound_gate.upsample.0",
    "Aup.2": "sound_gate.upsample.2",
    "Aup.4": "sound_gate.upsample.4",
    "extra_convs.0": "sound_gate.gate.0",
    "extra_convs.1": "sound_gate.gate.1",
}


def load_golden(name: str, head: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    """Give ``head`` the golden's weights, none left over and none missing."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    weights = {}
    for key in arrays:
        if key.startswith("weight/"):
            theirs, kind = key.removeprefix("weight/").rsplit(".", 1)
            weights[f"{names[theirs]}.{kind}"] = arrays[key]
    head.load_state_dict(weights)
    return arrays


def assert_equals_golden(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def assert_maps_equal_golden(maps: ClassMaps, golden: dict[str, Tensor]) -> None:
    for which, (class_map, score) in enumerate(
        zip((maps.plain, maps.fused), maps.scores(), strict=True), 1
    ):
        assert_equals_golden(class_map, golden[f"output/map_{which}"])
        assert_equals_golden(score, golden[f"output/scores_{which}"])


@torch.inference_mode()
def test_s_equals_the_published_code() -> None:
    head = SHead(16, 28)
    golden = load_golden("scam_s", head, PUBLISHED_NAMES)
    assert_maps_equal_golden(head(golden["input/features"]), golden)


@torch.inference_mode()
def test_sa_equals_the_report() -> None:
    head = SAHead(16, 28, width=16, sound_channels=64, sound_gate="report")
    head.classifier = nn.Conv2d(16, 28, 1)  # the golden's
    golden = load_golden("scam_sa", head, REPORTED_NAMES)
    assert_maps_equal_golden(head(golden["input/features"], golden["input/audio"]), golden)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("sound_gate", "layers", "sides"),
    [
        ("report", [(3, 1), (3, 1), (4, 1)], [3, 5, 8]),
        ("report-fine", [(4, 2), (4, 2), (3, 1)], [4, 10, 12]),
    ],
)
def test_the_reports_gate_grows_to_the_grid_of_its_stage(
    sound_gate: SoundGating, layers: list[tuple[int, int]], sides: list[int]
) -> None:
    torch.manual_seed(0)
    gate = sound_gate_named(sound_gate, 16, 24, width=8, gate_width=4, kinds=1)
    assert isinstance(gate, UpsampledSoundGate)
    sound, size = torch.randn(2, 24), (sides[-1], sides[-1])
    x = gate.sound(sound)[:, :, None, None]
    for position, (kernel, stride) in enumerate(layers):
        weight, bias = gate.upsample[2 * position].parameters()
        assert weight.shape == (8, 8, kernel, kernel)
        x = F.conv_transpose2d(torch.relu(x) if position else x, weight, bias, stride)
        assert x.shape == (2, 8, sides[position], sides[position])
    expected = torch.sigmoid(gate.gate[1](gate.gate[0](x)))
    torch.testing.assert_close(gate(torch.randn(2, 16, *size), sound), expected)
    assert gate(torch.randn(2, 16, 7, 9), sound).shape == (2, 1, 7, 9)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("size", "sound_gate", "side"), [(256, "report", 8), (356, "report-fine", 12)]
)
def test_there_is_an_sa_as_in_the_report(size: int, sound_gate: str, side: int) -> None:
    torch.manual_seed(0)
    hearing = {"sound_encoder": "vggsound-report", "sound_gate": sound_gate, "width": 8}
    net = SA(**TINY | hearing | {"input_size": [size, size]}).eval()
    wave = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    heard = torch.from_numpy(log_spectrogram(wave, *net.windows))[None]
    assert heard.shape == (1, 81, 199)
    assert net.sound_encoder(heard).shape == (1, 8192)
    grown = net.head.sound_gate.upsample(torch.randn(1, 8, 1, 1))
    assert grown.shape[-2:] == (side, side)  # that of the picture: nothing is resized
    maps = net(torch.rand(1, 3, size, size), heard)
    assert maps.fused.shape == (1, 4, side, side)


def test_the_reports_encoder_is_vggsounds() -> None:
    with torch.device("meta"):
        ours, report = VGGSoundEncoder().state_dict(), ReportSoundEncoder().state_dict()
    assert {key: x.shape for key, x in ours.items()} == {key: x.shape for key, x in report.items()}


@torch.inference_mode()
def test_st_equals_the_published_code() -> None:
    head = STHead(16, 28, width=16, time_mixing="published")
    head.classifier = nn.Conv2d(16, 28, 1)  # the golden's
    golden = load_golden("scam_st", head, PUBLISHED_NAMES)
    first, second, third = (head.see(golden[f"input/features_{frame}"]) for frame in (1, 2, 3))
    turns = [(second, first, third), (first, second, third), (first, third, second)]
    for frame, turn in enumerate(turns, 1):
        maps = head.attend(*turn)
        plain, fused = maps.scores()
        assert_equals_golden(plain, golden[f"output/scores_{frame}"])
        assert_equals_golden(fused, golden[f"output/scores_{frame}_fused"])
        if frame == 1:
            assert_equals_golden(maps.plain, golden["output/map_1"])
            assert_equals_golden(maps.fused, golden["output/map_1_fused"])


@torch.inference_mode()
@pytest.mark.parametrize("sound_gate", ["report", "report-fine", "released", "matching"])
def test_a_closed_sound_gate_leaves_self_attention_alone(sound_gate: str) -> None:
    torch.manual_seed(0)
    head = SAHead(16, 4, width=8, sound_channels=12, sound_gate=sound_gate)  # type: ignore[arg-type]
    features, sound = torch.randn(2, 16, 6, 8), torch.randn(2, 12)
    plain = head.classifier(features)
    attended = torch.cat([plain + head.self_attention(plain), plain], 1)
    alone = head.gru(head.fuse(torch.relu(attended)), plain)
    torch.testing.assert_close(head(features).fused, alone)
    torch.testing.assert_close(head(features, sound, switch=torch.zeros(2)).fused, alone)
    heard = head(features, sound).fused
    one_open = head(features, sound, switch=torch.tensor([1.0, 0.0])).fused
    torch.testing.assert_close(one_open[0], heard[0])
    torch.testing.assert_close(one_open[1], alone[1])
    assert not torch.allclose(heard[0], alone[0])


@torch.inference_mode()
@pytest.mark.parametrize("sound_gate", ["report", "report-fine", "released", "matching"])
def test_sound_changes_the_fused_map_only(sound_gate: str) -> None:
    torch.manual_seed(0)
    net = SA(**TINY_SA, sound_gate=sound_gate)  # its norms use the batch, for it is untrained
    frames = torch.rand(1, 3, 96, 128).expand(2, -1, -1, -1)
    net.head.sound_gate.sound.weight *= 100  # as if training had found the sound to matter
    maps = net(frames, torch.randn(2, 257, 98))
    torch.testing.assert_close(maps.plain[0], maps.plain[1])
    assert (maps.fused[0] - maps.fused[1]).abs().max() > 1e-5


@torch.inference_mode()
def test_votes_of_the_sound_count_in_the_fused_scores_alone() -> None:
    torch.manual_seed(0)
    head = SAHead(16, 4, 8, sound_channels=12, sound_gate="matching", sound_votes=True)
    features, sound = torch.randn(2, 16, 6, 8), torch.randn(2, 12)
    before = head(features, sound)
    raised = torch.tensor([0.0, 3.0, 0.0, -1.0])
    head.votes.bias += raised
    after = head(features, sound)
    torch.testing.assert_close(after.scores()[1] - before.scores()[1], raised.expand(2, -1))
    assert torch.equal(after.scores()[0], before.scores()[0])
    assert torch.equal(after.plain, before.plain)
    assert torch.equal(after.fused, before.fused)
    without = SAHead(16, 4, 8, sound_channels=12, sound_gate="matching")
    without.load_state_dict(head.state_dict(), strict=False)
    torch.testing.assert_close(without(features, sound).fused, after.fused)


@torch.inference_mode()
def test_without_sound_or_with_a_closed_switch_nobody_votes() -> None:
    torch.manual_seed(0)
    head = SAHead(16, 4, 8, sound_channels=12, sound_gate="matching", sound_votes=True)
    features, sound = torch.randn(2, 16, 6, 8), torch.randn(2, 12)
    head.votes.bias += 100
    averages = head(features).fused.mean((-2, -1))
    torch.testing.assert_close(head(features).scores()[1], averages)
    scores = head(features, sound, switch=torch.tensor([1.0, 0.0])).scores()[1]
    torch.testing.assert_close(scores[1], averages[1])
    assert (scores[0] - averages[0]).min() > 90


@torch.inference_mode()
def test_moments_that_share_frames_equal_moments_by_themselves() -> None:
    torch.manual_seed(0)
    net = ST(**TINY_ST).eval()
    frames = torch.rand(5, 3, 96, 128)
    seen = net.see(frames)
    shared = net.attend(*(seen.at(slice(i, i + 3)) for i in range(3)))
    alone = net(torch.stack([frames[i : i + 3] for i in range(3)]))
    torch.testing.assert_close(shared.plain, alone.plain[:, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(shared.fused, alone.fused[:, 1], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_in_training_each_frame_takes_its_turn_between_the_other_two() -> None:
    torch.manual_seed(0)
    net = ST(**TINY_ST).eval()
    frames = torch.rand(1, 3, 3, 96, 128)
    first, second, third = (net.see(frames[:, i]) for i in range(3))
    turns = [(second, first, third), (first, second, third), (first, third, second)]
    expected = torch.cat([net.attend(*turn).fused for turn in turns])
    torch.testing.assert_close(net(frames).fused[0], expected, atol=1e-5, rtol=0)
    swapped = net.attend(third, first, second).fused
    assert not torch.allclose(swapped[0], expected[0], atol=1e-5)


@torch.inference_mode()
def test_only_fused_maps_know_the_neighbours() -> None:
    torch.manual_seed(0)
    net = ST(**TINY_ST).eval()
    still = torch.rand(1, 1, 3, 96, 128).expand(1, 3, 3, 96, 128)
    moved = torch.cat([still[:, :2], torch.rand(1, 1, 3, 96, 128)], 1)
    target, other = (net(frames) for frames in (still, moved))
    torch.testing.assert_close(target.plain[:, :2], other.plain[:, :2])
    assert not torch.allclose(target.fused[:, 1], other.fused[:, 1])


def outputs(net: nn.Module, frames: Tensor, spectrograms: Tensor) -> tuple[Tensor, ...]:
    """Both maps and both scores of N frames, whichever the network."""
    if isinstance(net, SA):
        maps = net(frames, spectrograms)
    elif isinstance(net, ST):
        maps = net(frames[:, None].expand(-1, 3, -1, -1, -1))
    else:
        maps = net(frames)
    return (maps.plain, maps.fused, *maps.scores())


NETS = {
    "S": (S, TINY),
    "SA-report": (SA, TINY_SA),
    "SA-report-fine": (SA, TINY_SA | {"sound_gate": "report-fine"}),
    "SA-released": (SA, TINY_SA | {"sound_gate": "released"}),
    "SA-light": (SA, LIGHT_SA),
    "ST": (ST, TINY_ST),
    "ST-light": (ST, TINY_ST | LIGHT),
}
each_net = pytest.mark.parametrize(("kind", "arguments"), NETS.values(), ids=NETS)


@torch.inference_mode()
@each_net
def test_maps_have_the_grid_of_their_stride(kind: type[S], arguments: dict[str, Any]) -> None:
    net = kind(**arguments).eval()
    turns = (3,) if kind is ST else ()
    stride = 16 if kind is S else arguments.get("stride", 32)
    for height, width in ((96, 128), (256, 256), (200, 90)):
        *maps, plain, fused = outputs(net, torch.rand(2, 3, height, width), torch.zeros(2, 257, 98))
        grid = (-(-height // stride), -(-width // stride))
        assert [part.shape for part in maps] == [(2, *turns, 4, *grid)] * 2
        assert plain.shape == fused.shape == (2, *turns, 4)
        torch.testing.assert_close(plain, maps[0].flatten(-2).mean(-1))


@torch.inference_mode()
@each_net
def test_a_frame_does_not_depend_on_its_batch(kind: type[S], arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = kind(**arguments).eval()
    frames, spectrograms = torch.rand(3, 3, 96, 128), torch.randn(3, 257, 98)
    together = outputs(net, frames, spectrograms)
    alone = outputs(net, frames[1:2], spectrograms[1:2])
    for one, many in zip(alone, together, strict=True):
        torch.testing.assert_close(one[0], many[1], atol=1e-5, rtol=0)


@each_net
def test_every_parameter_learns(kind: type[S], arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = kind(**arguments)
    *_, plain, fused = outputs(net, torch.rand(4, 3, 96, 128), torch.randn(4, 257, 98))
    labels = torch.eye(4)[:, None].expand(-1, 3, -1) if kind is ST else torch.eye(4)
    (
        F.multilabel_soft_margin_loss(plain, labels) + F.multilabel_soft_margin_loss(fused, labels)
    ).backward()
    gradients = {
        name: torch.tensor(torch.inf) if p.grad is None else p.grad.abs().max()
        for name, p in net.named_parameters()
    }
    # A softmax over the first positions takes no notice of what is added to all queries.
    assert gradients.pop("head.self_attention.query.bias") < 1e-6
    assert not [name for name, gradient in gradients.items() if not 0 < gradient < torch.inf]


@each_net
def test_a_saved_network_comes_back(
    kind: type[S], arguments: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    net = kind(**arguments).eval()
    net.save_pretrained(tmp_path)
    back = kind.from_pretrained(tmp_path, strict=True).eval()
    assert isinstance(back, kind)
    assert back.categories == CATEGORIES
    assert back.input_size == (96, 128)
    inputs = torch.rand(1, 3, 96, 128), torch.randn(1, 257, 98)
    with torch.inference_mode():
        for ours, theirs in zip(outputs(net, *inputs), outputs(back, *inputs), strict=True):
            assert torch.equal(ours, theirs)


@torch.inference_mode()
@each_net
def test_a_folded_network_says_the_same(kind: type[S], arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = kind(**arguments)
    inputs = torch.rand(4, 3, 96, 128), torch.randn(4, 257, 98)
    outputs(net, *inputs)  # moves the norms' means away from 0
    folded = net.eval().folded()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.backbone.modules())
    assert folded.folded() is folded
    for ours, theirs in zip(outputs(folded, *inputs), outputs(net, *inputs), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_hidden_layers_keep_the_strength_of_a_signal() -> None:
    torch.manual_seed(0)
    head = STHead(64, 4, width=128)
    features = torch.randn(1, 64, 16, 16)
    hidden = head.classifier[:-1](features)
    ratio = hidden.square().mean() / features.square().mean()
    assert 0.5 < ratio < 2


@pytest.mark.parametrize(
    ("kind", "wrong", "complaint"),
    [
        (S, {"categories": ("bell",)}, "two names"),
        (S, {"categories": "bell"}, "two names"),
        (S, {"categories": ("bell", "bell", "dog")}, "different"),
        (S, {"backbone": "no_such_net"}, "no model"),
        (ST, {"backbone": "vit_tiny_patch16_224", "backbone_args": {}}, "stride"),
        (S, {"backbone_args": {"pretrained": True}}, "not allowed"),
        (S, {"input_size": (8, 256)}, "input_size"),
        (SA, {"sound_encoder": "ears"}, "none of"),
        (SA, {"sound_gate": "open"}, "'report', 'report-fine', 'released', 'matching'"),
        (SA, {"width": 0}, "width"),
        (ST, {"width": 100_000}, "width"),
        (ST, {"hidden": 9}, "hidden"),
        (SA, {"stride": 3}, "stride"),
        (ST, {"time_mixing": "shaken"}, "time_mixing"),
    ],
)
def test_wrong_arguments_are_named(
    kind: type[PyTorchModelHubMixin], wrong: dict[str, Any], complaint: str
) -> None:
    arguments = {S: TINY, SA: TINY_SA, ST: TINY_ST}[kind]
    with pytest.raises(ValueError, match=complaint):
        kind(**arguments | wrong)


def test_full_size_networks_have_the_published_shapes() -> None:
    with torch.device("meta"):
        s = S([str(i) for i in range(28)])
        st = ST([str(i) for i in range(28)], time_mixing="published")
    assert s.head.classifier.weight.shape == (28, 1024, 1, 1)
    assert [tuple(layer.weight.shape) for layer in st.head.classifier[::2]] == [
        (2048, 2048, 3, 3),
        (2048, 2048, 3, 3),
        (2048, 2048, 3, 3),
        (28, 2048, 1, 1),
    ]
    # As many tensors as the published networks keep.
    assert len(s.state_dict()) == 581
    assert len(st.state_dict()) == 653


@torch.inference_mode()
def test_the_light_encoder_hears_one_second_as_256_numbers() -> None:
    torch.manual_seed(0)
    encoder = LightSoundEncoder().eval()
    assert sum(p.numel() for p in encoder.parameters()) < 300_000
    low, high = torch.zeros(2, 257, 98)
    low[20], high[200] = 3, 3
    vectors = encoder(torch.stack([low, high]))
    assert vectors.shape == (2, encoder.channels)
    assert not torch.allclose(vectors[0], vectors[1])


@torch.inference_mode()
def test_sta_hears_with_the_light_encoder() -> None:
    net = STA(**TINY_STA, sound_encoder="light").eval()
    frames = torch.rand(1, 3, 3, 96, 128)
    assert not torch.equal(net(frames, torch.randn(1, 3, 257, 98)), net(frames))


def test_seen_maps_can_be_chosen_from() -> None:
    seen = SeenMaps(torch.arange(3.0), torch.arange(3.0) + 10)
    assert seen.at(torch.tensor([2, 0])).spatial.tolist() == [12, 10]
