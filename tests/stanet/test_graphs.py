"""What S+, SA+ and ST+ make of prepared moments, each frame seen once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from little_world import COLOURS, write_little_world
from lookhear.data.loader import Moments, View
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.stanet.graphs import PlusSources
from lookhear.stanet.sources import ClassMaps
from lookhear.stanet.sources_plus import PlusNet, SAPlus, SPlus, STPlus

TINY: dict[str, Any] = {
    "categories": [*COLOURS],
    "backbone": "resnet10t_dilated",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False},
    "width": 8,
    "hidden": 1,
    "input_size": [48, 64],
}
TINY_SA = TINY | {"sound_encoder": "light", "sound_gate": "matching", "sound_votes": True}
PUBLISHED = {"published": True}
INDICES = (0, 1, 2, 4, 7)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of each of three tags, one of which is silent, and one to validate on."""
    root = tmp_path_factory.mktemp("graphs")
    world = write_little_world(root / "ave", (6, 1, 0), seconds=3, silent=[1])
    prepare(read_tagged(world), root / "moments")
    return root / "moments"


def trained(kind: type[PlusNet], seed: int, **arguments: Any) -> PlusNet:
    """A network of chance, whose norms have statistics of chance, too."""
    torch.manual_seed(seed)
    net = kind(**arguments)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(std=0.1)
    return net.eval()


def all_nets(shared: bool, **more: Any) -> dict[str, PlusNet]:
    """Each kind with each kind of partners; those that share a backbone are alike in no more."""
    nets = {
        "S+/short": trained(SPlus, 0, **TINY | more),
        "S+/cross": trained(SPlus, 1, **TINY),
        "SA+/cross": trained(SAPlus, 2, **TINY_SA | more),
        "SA+/long": trained(SAPlus, 3, **TINY_SA),
        "ST+/short": trained(STPlus, 4, **TINY | more),
        "ST+/long": trained(STPlus, 5, **TINY | ({} if shared else {"input_size": [64, 48]})),
    }
    if shared:
        for net in nets.values():
            net.backbone.load_state_dict(nets["S+/short"].backbone.state_dict())
    return nets


def moments_of(name: str, net: PlusNet, prepared: Path, split: Split, blind: bool) -> Moments:
    partners: Any = name.rpartition("/")[2]
    return Moments(
        prepared,
        split,
        size=net.input_size,
        frames=3 if isinstance(net, STPlus) else 1,
        windows=net.windows,
        partners="long" if blind and partners == "cross" else partners,
        as_released=net.published,
    )


def alone(net: PlusNet, sample: dict[str, Any]) -> ClassMaps:
    """What a network makes of one sample of its own."""
    frames = sample["frames"][None].float() / 255
    if isinstance(net, STPlus):
        return net.target_maps(net(frames))
    given = [frames[:, :, 0]]
    if isinstance(net, SAPlus):
        given += [sample["sound"][None, :, 0], sample["has_sound"][None].float()]
    return net.target_maps(net(*given))


@torch.inference_mode()
@pytest.mark.parametrize(
    ("shared", "blind", "more"),
    [(True, False, {}), (False, True, {}), (True, False, PUBLISHED)],
    ids=["one backbone", "backbones of their own", "published"],
)
def test_looks_are_what_each_network_makes_of_each_sample_alone(
    prepared: Path, shared: bool, blind: bool, more: dict[str, Any]
) -> None:
    nets = all_nets(shared, **more)
    graphs = PlusSources(nets, "cross-entropy").graphs(prepared, "train", of_one_clip=blind)
    looks = graphs.look(INDICES)
    assert looks.probabilities.shape == (len(INDICES), len(nets), len(COLOURS))
    for at, (name, net) in enumerate(nets.items()):
        data = moments_of(name, net, prepared, "train", blind)
        for row, index in enumerate(INDICES):
            maps = alone(net, data[index])
            expected = torch.softmax(maps.scores()[1].flatten(), 0)
            # Without the ConvGRU, what is rounded grows with the values.
            loose = 1e-3 if name == "ST+/short" and net.published else 1e-5
            for given, wanted in (
                (looks.plain[at][row], maps.plain[0]),
                (looks.fused[at][row], maps.fused[0]),
                (looks.probabilities[row, at], expected),
            ):
                np.testing.assert_allclose(given, wanted, atol=loose, rtol=loose, err_msg=name)
    assert any(np.ptp(of_net) > 1e-3 for of_net in looks.fused)


def counted(nets: dict[str, PlusNet]) -> dict[str, list[Tensor]]:
    """By the name of each network, the pictures that its backbone sees."""
    shown: dict[str, list[Tensor]] = {name: [] for name in nets}

    def hooked(name: str) -> Any:
        return lambda _, given: shown[name].extend(given[0])

    for name, net in nets.items():
        net.backbone.register_forward_pre_hook(hooked(name))
    return shown


@pytest.mark.parametrize("shared", [True, False], ids=["one backbone", "backbones of their own"])
def test_every_frame_is_seen_once_by_each_backbone(prepared: Path, shared: bool) -> None:
    nets = all_nets(shared)
    shown = counted(nets)
    graphs = PlusSources(nets, "cross-entropy").graphs(prepared, "train", of_one_clip=False)
    graphs.look(INDICES)
    needed: dict[str, set[tuple[int, int]]] = {}
    for name, net in nets.items():
        data = moments_of(name, net, prepared, "train", blind=False)
        shifts = (-1, 0, 1) if isinstance(net, STPlus) else (0,)
        needed[name] = {
            (view.moment, view.offset + shift)
            for index in INDICES
            for view in data.views(index)
            for shift in shifts
        }
    seen = {name: len(frames) for name, frames in shown.items()}
    if shared:
        of_all = set[tuple[int, int]]().union(*needed.values())
        assert seen == dict.fromkeys(nets, 0) | {"S+/short": len(of_all)}
    else:
        assert seen == {name: len(frames) for name, frames in needed.items()}


def test_of_one_clip_another_is_never_shown(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = all_nets(shared=True)
    sources = PlusSources(nets, "cross-entropy")
    blind = sources.graphs(prepared, "train", of_one_clip=True)
    asked = set[int]()
    frame = Moments.frame

    def noting(data: Moments, view: View) -> Any:
        asked.add(data.clip(view.moment))
        return frame(data, view)

    monkeypatch.setattr(Moments, "frame", noting)
    for index in (1, 4):
        blind.look([index])
        assert asked == {index // 3}
        asked.clear()
    told = sources.graphs(prepared, "train", of_one_clip=False)
    cross = told._data["S+/cross"]
    assert {cross.clip(view.moment) for view in cross.views(1)} != {0}


def test_published_rules_take_a_softmax_whatever_the_loss(prepared: Path) -> None:
    nets = {"S+/short": trained(SPlus, 0, **TINY)}

    def probabilities(*how: Any) -> Sequence[Any]:
        return PlusSources(nets, *how).graphs(prepared, "val", of_one_clip=True).look([0])[2]

    softmax = probabilities("cross-entropy")
    np.testing.assert_allclose(probabilities("soft margin", "released"), softmax)
    assert np.abs(probabilities("soft margin") - softmax).max() > 0.01


def test_a_source_in_anothers_place_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match=r"^[^\n]*nowhere[^\n]*\Z"):
        PlusSources.load({"S+/short": tmp_path / "nowhere"}, "cross-entropy", "cpu")
    trained(SPlus, 0, **TINY).save_pretrained(tmp_path / "S+")
    assert PlusSources.load({"S+/short": tmp_path / "S+"}, "cross-entropy", "cpu").nets
