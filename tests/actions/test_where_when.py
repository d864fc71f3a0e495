"""Where and when to look, against the authors' own figures, and what the clean network promises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lookhear.actions import Temporal
from lookhear.actions.losses import contrast, total_variation, unimodal
from lookhear.actions.net import Attended, RecurrentAttention, SpatialMask, Strongest, WhereWhen
from lookhear.actions.published import network_of
from lookhear.nets.saved import load_network

GOLDEN = Path(__file__).parents[1] / "golden" / "where_when.npz"
PUBLISHED: dict[Temporal, str] = {"plain": "plain", "additive": "recurrent"}
TINY: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 8, 16], "stem_width": 4},
    "input_size": (64, 64),
}
CLASSES = ("archery", "bowling", "diving", "golf")


def golden(temporal: Temporal) -> dict[str, Tensor]:
    kind = f"{PUBLISHED[temporal]}/"
    with np.load(GOLDEN) as arrays:
        return {
            key.removeprefix(kind): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith(kind)
        }


def of_golden(temporal: Temporal) -> tuple[dict[str, Tensor], Attended]:
    figures = golden(temporal)
    state = {
        key.removeprefix("state/"): of for key, of in figures.items() if key.startswith("state/")
    }
    net = network_of(state, temporal, CLASSES, **TINY)
    with torch.no_grad():
        return figures, net.attend(figures["input"].transpose(1, 2))


@pytest.mark.parametrize("temporal", PUBLISHED)
def test_both_networks_equal_the_authors_figures(temporal: Temporal) -> None:
    figures, attended = of_golden(temporal)
    torch.testing.assert_close(attended.mask, figures["mask"][:, :, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(attended.weights, figures["weights"], rtol=0, atol=1e-5)
    torch.testing.assert_close(attended.logits, figures["logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("temporal", PUBLISHED)
def test_the_losses_equal_the_authors_figures(temporal: Temporal) -> None:
    figures, attended = of_golden(temporal)
    glimpses = figures["unimodal_input"][:, None]
    ours = {
        "tv": total_variation(attended.mask).sum(),  # over the batch
        "contrast": contrast(attended.mask).mean(),
        "unimodal_code": unimodal(glimpses, released=True).mean(),
        "unimodal_paper": unimodal(glimpses).sum(),
    }
    for name, value in ours.items():
        torch.testing.assert_close(value, figures[name], rtol=0, atol=1e-5, msg=name)


def features(seed: int = 0, frames: int = 5) -> Tensor:
    return torch.randn(2, frames, 16, 3, 4, generator=torch.Generator().manual_seed(seed))


def attention(*, additive: bool) -> RecurrentAttention:
    torch.manual_seed(0)
    return RecurrentAttention(16, (12, 8), additive=additive, normalised=False).eval()


def test_the_published_state_cancels_and_the_clean_one_steers_the_weights() -> None:
    _, same = attention(additive=True)(features())
    torch.testing.assert_close(same, same[:, :1].expand_as(same), rtol=0, atol=1e-6)
    _, steered = attention(additive=False)(features())
    assert (steered[:, 1:] - steered[:, :-1]).abs().amax() > 1e-4
    torch.testing.assert_close(steered.sum(-1), torch.ones(2, 5))


@pytest.mark.parametrize("additive", [True, False])
def test_only_a_clean_state_has_a_say_in_where_to_look(additive: bool) -> None:
    module = attention(additive=additive)
    _, glimpses = module(features())
    (slope,) = torch.autograd.grad(glimpses.square().sum(), module.of_state.weight)
    assert (slope.abs().max() > 1e-6) is not additive
    (slope,) = torch.autograd.grad(module(features())[1].square().sum(), module.of_frame.weight)
    assert slope.abs().max() > 1e-6


@pytest.mark.parametrize("temporal", ["recurrent", "additive", "plain", "even"])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_any_number_of_frames_is_weighed(temporal: Temporal, frames: int) -> None:
    net = WhereWhen(CLASSES, **TINY, temporal=temporal, widths=(8, 6)).eval()
    given = torch.rand(2, frames, 3, 64, 64)
    attended = net(given)
    assert attended.logits.shape == (2, 4)
    assert attended.mask.shape == (2, frames, 2, 2)
    assert attended.weights.shape == (2, frames)
    torch.testing.assert_close(attended.weights.sum(1), torch.ones(2))
    loss = unimodal(attended.glimpses) + unimodal(attended.glimpses, released=True)
    assert loss.isfinite().all()
    if frames < 3:
        assert (loss == 0).all()
    if temporal == "even":
        torch.testing.assert_close(attended.weights, torch.full((2, frames), 1 / frames))


def test_without_a_mask_all_places_count() -> None:
    net = WhereWhen(CLASSES, **TINY, spatial=False, widths=(8, 6)).eval()
    assert (net(torch.rand(1, 3, 3, 64, 64)).mask == 1).all()


@pytest.mark.parametrize("widths", [(6,), (8, 6), (8, 7, 6)])
def test_a_mask_may_have_two_three_or_four_convolutions(widths: tuple[int, ...]) -> None:
    mask = SpatialMask(16, widths)
    assert sum(isinstance(of, torch.nn.Conv2d) for of in mask.layers) == len(widths) + 1
    assert mask(features()[0]).shape == (5, 3, 4)


def moving_net(**choices: Any) -> WhereWhen:
    torch.manual_seed(0)
    net = WhereWhen(CLASSES, **TINY, widths=(8, 6), blocks=2, pooled=2, dropout=0.0, **choices)
    return net.eval()


def test_motion_blocks_see_a_few_frames_before_and_after() -> None:
    net = moving_net()
    given = torch.rand(1, 16, 13, 6, 6)
    changed = given.clone()
    changed[:, :, 6] += 1
    with torch.no_grad():
        differs = net.head.motion(changed) - net.head.motion(given)
    seen = differs.abs().amax((0, 1, 3, 4)) > 1e-6
    assert seen.tolist() == [2 <= frame <= 10 for frame in range(13)]  # two, and two of those


def test_the_strongest_places_name_the_action_wherever_and_whenever_they_are() -> None:
    strongest = Strongest(16, 4)
    given = torch.rand(1, 16, 5, 10, 10, generator=torch.Generator().manual_seed(0))
    shuffled = given.flatten(2)[..., torch.randperm(500)].view_as(given)
    torch.testing.assert_close(strongest(shuffled), strongest(given))
    given.requires_grad_()
    (slope,) = torch.autograd.grad(strongest(given).sum(), given)
    assert (slope >= 0).all()
    assert ((slope > 0).sum((2, 3, 4)) == 5).all()  # of 500


def test_pooled_states_keep_the_grid_of_the_mask() -> None:
    attended = moving_net()(torch.rand(2, 6, 3, 128, 192))
    assert attended.mask.shape == (2, 6, 4, 6)
    assert attended.strongest is not None
    assert attended.strongest.shape == attended.logits.shape == (2, 4)


def test_roughness_and_contrast_are_what_their_equations_say() -> None:
    mask = torch.zeros(1, 2, 3, 3)
    mask[0, 0, 1, 1] = 0.8
    mask[0, 1, 0, 0] = 0.4
    assert total_variation(mask).item() == pytest.approx(4 * 0.8 + 2 * 0.4)
    assert total_variation(mask, "l2").item() == pytest.approx(4 * 0.64 + 2 * 0.16)
    huber = 4 * (0.8 - 0.05) + 2 * (0.4 - 0.05)
    assert total_variation(mask, "huber").item() == pytest.approx(huber)
    assert contrast(mask).item() == pytest.approx(-0.5 * 0.8 + 0.5 * 0.4)
    assert contrast(torch.ones(1, 2, 3, 3)).item() == -9  # the lowest there is


def test_a_single_peak_costs_nothing_and_a_valley_does() -> None:
    peak = torch.tensor([[[0.05, 0.2, 0.5, 0.2, 0.05]]])
    valley = torch.tensor([[[0.4, 0.1, 0.0, 0.1, 0.4]]])
    assert unimodal(peak).item() == 0
    assert unimodal(valley).item() == pytest.approx(0.01)
    assert unimodal(valley, released=True).item() == pytest.approx(0.1 / 3)


def test_flat_weights_have_no_slope_and_the_root_of_the_code_no_slope_that_is_none() -> None:
    for weights in (torch.full((1, 1, 6), 1 / 6), torch.tensor([[[0.1, 0.3, 0.6]]])):
        given = weights.clone().requires_grad_()
        for released in (False, True):
            (slope,) = torch.autograd.grad(unimodal(given, released=released).sum(), given)
            assert (slope == 0).all()


def test_a_saved_network_is_loaded_as_it_was(tmp_path: Path) -> None:
    net = moving_net(frames=7, seconds=2.5, sight="motion")
    net.save_pretrained(tmp_path)
    loaded = load_network(WhereWhen, tmp_path, "cpu")
    kept = loaded.categories, loaded.frames, loaded.seconds, loaded.sight, loaded.paced
    assert kept == (CLASSES, 7, 2.5, "motion", True)
    given = torch.rand(1, 7, 3, 64, 64)
    torch.testing.assert_close(loaded(given).logits, net(given).logits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"seconds": -1.0},
        {"temporal": "both"},
        {"sight": "sound"},
        {"widths": ()},
        {"blocks": -1},
        {"blocks": 33},
        {"pooled": 0},
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        WhereWhen(CLASSES, **TINY, **wrong)
