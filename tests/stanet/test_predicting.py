"""What STANet+ says of prepared moments is what its networks say of samples, each by itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from beeping_squares import SIZE, TINY_BACKBONE, prepared_squares
from lookhear.data.derived import FIXATIONS, write_derived
from lookhear.data.loader import Moments
from lookhear.maps import enlarge, resize
from lookhear.stanet.predicting import PartneredMoments, attention_of_all
from lookhear.stanet.run_folder import FUSED, SINGLE, MapFolders, PlusMapFolders
from lookhear.stanet.sta_plus import STAPlus
from lookhear.stanet.stanet_plus import STANetPlus
from lookhear.stanet.steps import STANetPlusSteps

SEES: dict[str, Any] = TINY_BACKBONE | {"sound_encoder": "light", "input_size": [*SIZE]}
OF_PLUS = SEES | {"backbone": "resnet10t_dilated", "width": 6, "hidden": 0}
INDICES = [0, 1, 4]
GRID = (12, 16)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


@pytest.fixture(scope="module")
def net() -> STANetPlus:
    torch.manual_seed(0)
    sta = SEES | {"strides": [4, 8, 16], "width": 8}
    net = STANetPlus(sta, OF_PLUS, OF_PLUS | {"apart": 9})
    with torch.no_grad():
        for head in (net.sta.head.out_fine, net.short.head.out, net.cross.head.out):
            head.weight *= 20
    return net.eval()


def of_plus(net: STAPlus, frames: Tensor, sound: Tensor) -> Any:
    """By one graph of three nodes, each of three frames."""
    nodes = []
    for node in range(3):
        looks = [
            net.see(frames[node, time : time + 1], sound[node, time : time + 1])
            for time in range(3)
        ]
        nodes.append(net.join(*looks))
    return net.attend(*nodes)[0]


@torch.inference_mode()
def test_each_network_is_given_the_partners_that_it_learnt_from(
    prepared: Path, net: STANetPlus
) -> None:
    sta, short, cross = attention_of_all(PartneredMoments(prepared, "val", net), INDICES)
    for row, index in enumerate(INDICES):
        samples = {}
        for partners in ("short", "long"):
            windows = net.windows
            data = Moments(
                prepared,
                "val",
                size=SIZE,
                frames=3,
                windows=windows,
                partners=partners,  # type: ignore[arg-type]
            )
            samples[partners] = data[index]
        (near, near_sound), (far, far_sound) = (
            (sample["frames"].float() / 255, sample["sound"]) for sample in samples.values()
        )
        before, target, after = (
            net.sta.see(near[0, time : time + 1], near_sound[0, time : time + 1])
            for time in range(3)
        )
        for given, wanted in (
            (sta[row], net.sta.attend(before, target, after)[0]),
            (short[row], of_plus(net.short, near, near_sound)),
            (cross[row], of_plus(net.cross, far, far_sound)),
        ):
            np.testing.assert_allclose(given, wanted, atol=1e-5)
    assert np.abs(short - cross).max() > 1e-3


def test_every_step_of_stanet_plus_has_a_map_of_each_moment(
    prepared: Path, net: STANetPlus, tmp_path: Path
) -> None:
    data, chance = Moments(prepared, "val"), np.random.default_rng(0)
    folders = [tmp_path / name for name in ("coarse", "fine", "ct", "ft", "plus", "plus-tags")]
    arrays: dict[Path, dict[str, Any]] = {}
    for folder in folders:
        arrays[folder] = {
            FUSED: chance.random((len(data), 6, 8)).astype(np.float16),
            FIXATIONS: chance.random((len(data), 6, 8)).astype(np.float16),
            SINGLE: chance.random((len(data), 8, 6, 8)).astype(np.float16),
        }
        write_derived(folder, "val-00000", arrays[folder])
    maps, plus = MapFolders(*folders[:4]), PlusMapFolders(*folders[4:])
    made = STANetPlusSteps(prepared, maps, plus, net, GRID)(data, INDICES)
    rows = {name: np.stack([*of_step]) for name, of_step in made.items()}
    for name, of_step in rows.items():
        assert of_step.shape == (len(INDICES), *GRID), name
    each = attention_of_all(PartneredMoments(prepared, "val", net), INDICES)
    for name, of_net in zip(("STA", "STA+ short", "STA+ cross"), each, strict=True):
        np.testing.assert_allclose(rows[name], enlarge(of_net, GRID), atol=1e-5)
    np.testing.assert_allclose(rows["STANet+"], resize(net.together(each, SIZE), GRID), atol=1e-5)
    for name, folder, array, at in (
        ("SCAM, fine", maps.fine, FUSED, None),
        ("S+ short", plus.blind, SINGLE, 0),
        ("ST+ cross", plus.blind, SINGLE, 7),
        ("SCAM+", plus.blind, FUSED, None),
        ("pseudo-fixations (know the tag)", maps.tagged, FIXATIONS, None),
        ("pseudo-fixations of SCAM+ (know the tag)", plus.tagged, FIXATIONS, None),
    ):
        kept = arrays[folder][array][INDICES].astype(np.float32)
        wanted = resize(kept if at is None else kept[:, at], GRID)
        np.testing.assert_allclose(rows[name], wanted, atol=1e-6, err_msg=name)
