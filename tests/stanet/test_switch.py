from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lookhear.stanet.switch import AudioSwitch, AudioSwitchHead, MatchingSwitchHead

TINY: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False},
    "sound_encoder": "light",
    "input_size": [96, 128],
}


@torch.inference_mode()
def test_belonging_is_the_probability_of_the_second_logit() -> None:
    torch.manual_seed(0)
    net = AudioSwitch(**TINY).eval()
    inputs = torch.rand(3, 3, 96, 128), torch.randn(3, 257, 98)
    logits, probability = net(*inputs), net.belongs(*inputs)
    assert logits.shape == (3, 2)
    torch.testing.assert_close(probability, torch.sigmoid(logits[:, 1] - logits[:, 0]))
    assert len(probability.unique()) == 3


@torch.inference_mode()
def test_released_weights_decide_by_the_second_logit_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    AudioSwitch(**TINY, activation="sigmoid").save_pretrained(tmp_path)
    net = AudioSwitch.from_pretrained(tmp_path, strict=True).eval()
    inputs = torch.rand(24, 3, 96, 128), torch.randn(24, 257, 98)
    net.head.match.bias += torch.tensor([0.2, 0.0]) - net(*inputs).mean(0)
    logits = net(*inputs)
    by_release = logits[:, 1] > 0
    torch.testing.assert_close(net.belongs(*inputs), torch.sigmoid(logits[:, 1]))
    assert torch.equal(net.belongs(*inputs) > 0.5, by_release)
    softmax = AudioSwitch(**TINY).eval()
    softmax.load_state_dict(net.state_dict())
    assert not torch.equal(softmax.belongs(*inputs) > 0.5, by_release)


@torch.inference_mode()
def test_small_pictures_are_seen_at_a_smaller_stride() -> None:
    torch.manual_seed(0)
    for stride, grid in ((32, (3, 4)), (16, (6, 8))):
        net = AudioSwitch(**TINY, stride=stride).eval()
        (features,) = net.features(torch.rand(2, 3, 96, 128))
        assert features.shape[-2:] == grid
        assert net.belongs(torch.rand(2, 3, 96, 128), torch.randn(2, 257, 98)).shape == (2,)


@torch.inference_mode()
def test_the_head_is_the_published_two_layers_in_one() -> None:
    torch.manual_seed(0)
    head = AudioSwitchHead(16, 24)
    bilinear, linear = torch.nn.Bilinear(128, 128, 128), torch.nn.Linear(128, 2)
    head.match.weight.copy_(torch.einsum("ok,kij->oij", linear.weight, bilinear.weight))
    head.match.bias.copy_(linear.weight @ bilinear.bias + linear.bias)
    features, sound = torch.randn(5, 16, 3, 4), torch.randn(5, 24)
    published = linear(bilinear(head.sound(sound), head.picture(features.mean((2, 3)))))
    torch.testing.assert_close(head(features, sound), published, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_pair_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    net = AudioSwitch(**TINY).eval()
    frames, spectrograms = torch.rand(3, 3, 96, 128), torch.randn(3, 257, 98)
    alone = net(frames[1:2], spectrograms[1:2])
    torch.testing.assert_close(alone[0], net(frames, spectrograms)[1], atol=1e-5, rtol=0)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    net = AudioSwitch(**TINY)
    logits = net(torch.rand(4, 3, 96, 128), torch.randn(4, 257, 98))
    F.cross_entropy(logits, torch.tensor([0, 1, 1, 0])).backward()
    still = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still


def test_which_sound_belongs_to_which_picture_can_be_learnt() -> None:
    # Two kinds of picture and two of sound; they match where the kinds are the same.
    torch.manual_seed(0)
    head = AudioSwitchHead(8, 12)
    pictures, sounds = torch.randn(2, 8, 3, 3), torch.randn(2, 12)
    seen, heard = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    belongs = (seen == heard).long()
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(50):
        loss = F.cross_entropy(head(pictures[seen], sounds[heard]), belongs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(head(pictures[seen], sounds[heard]).argmax(1), belongs)


def test_a_saved_switch_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = AudioSwitch(**TINY, stride=16).eval()
    net.save_pretrained(tmp_path)
    back = AudioSwitch.from_pretrained(tmp_path, strict=True).eval()
    inputs = torch.rand(1, 3, 96, 128), torch.randn(1, 257, 98)
    with torch.inference_mode():
        assert torch.equal(back.belongs(*inputs), net.belongs(*inputs))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"sound_encoder": None}, "none of"),
        ({"backbone": "no_such_net"}, "no model"),
        ({"input_size": (96, 9000)}, "input_size"),
        ({"stride": 5}, "strides"),
        ({"width": 0}, "width"),
        ({"activation": "argmax"}, "'softmax', 'sigmoid'"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        AudioSwitch(**TINY | wrong)


def test_a_matching_switch_looks_for_what_may_make_the_sound() -> None:
    head = MatchingSwitchHead(8, 12, kinds=3)
    features, sound = torch.randn(2, 8, 4, 5), torch.randn(2, 12)
    logits = head(features, sound)
    assert logits.shape == (2, 2)
    best = head.gate.match(features, sound).amax((1, 2))
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], best)
    mirrored = head(features.flip(-1), sound)  # wherever it is
    torch.testing.assert_close(mirrored, logits)


@pytest.mark.parametrize("head", [AudioSwitchHead(8, 12), MatchingSwitchHead(8, 12, kinds=3)])
def test_all_pairs_at_once_are_as_one_by_one(head: AudioSwitchHead | MatchingSwitchHead) -> None:
    features, sounds = torch.randn(3, 8, 4, 5), torch.randn(2, 12)
    logits = head.pairs(features, sounds)
    assert logits.shape == (3, 2, 2)
    for picture, sound in ((0, 0), (2, 0), (1, 1)):
        alone = head(features[picture : picture + 1], sounds[sound : sound + 1])[0]
        torch.testing.assert_close(logits[picture, sound], alone)
