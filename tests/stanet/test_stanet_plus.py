"""STANet+: the highest of STA, STA+ short and STA+ cross, by one look a frame."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import lookhear
from clips import beep, make_clip
from conftest import moving_disc
from lookhear.errors import LookhearError
from lookhear.maps import enlarge
from lookhear.nets.saved import load_model, saved_as
from lookhear.nets.watching import Watch, Watcher, moment
from lookhear.stanet.recipes.matching import save_together
from lookhear.stanet.sta import STA
from lookhear.stanet.sta_plus import STAPlus
from lookhear.stanet.stanet_plus import STANetPlus
from lookhear.stanet.switch import AudioSwitch

SIZE = (64, 96)
BACKBONE: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False},
}
HEARS: dict[str, Any] = {"sound_encoder": "light", "input_size": [*SIZE]}
OF_STA: dict[str, Any] = BACKBONE | HEARS | {"strides": [4, 8, 16], "width": 8}
OF_PLUS: dict[str, Any] = (
    BACKBONE | HEARS | {"backbone": "resnet10t_dilated", "width": 6, "hidden": 1, "hidden_width": 8}
)
OF_SWITCH: dict[str, Any] = BACKBONE | {"sound_encoder": "light", "input_size": [48, 64]}
OF_CROSS = OF_PLUS | {"apart": 6}
COUNT = 20


def trained(**more: Any) -> STANetPlus:
    """A network of chance, with norms of chance."""
    torch.manual_seed(0)
    net = STANetPlus(**{"sta": OF_STA, "short": OF_PLUS, "cross": OF_CROSS} | more)  # type: ignore[arg-type]
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(std=0.1)
    with torch.no_grad():
        for head in (net.sta.head.out_fine, net.short.head.out, net.cross.head.out):
            head.weight *= 20
    return net.eval()


def sharing(net: STANetPlus) -> STANetPlus:
    """Give both STA+ one backbone, and all three networks one sound encoder."""
    net.cross.backbone.load_state_dict(net.short.backbone.state_dict())
    assert net.sta.sound_encoder is not None
    for other in (net.short, net.cross):
        assert other.sound_encoder is not None
        other.sound_encoder.load_state_dict(net.sta.sound_encoder.state_dict())
    return net


def chance_clip() -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Pictures, spectrograms and what of them can be heard."""
    chance = np.random.default_rng(0)
    patches = chance.integers(0, 256, (COUNT, SIZE[0] // 16, SIZE[1] // 16, 3), dtype=np.uint8)
    sounds = chance.normal(size=(COUNT, 257, 98)).astype(np.float32)
    audible = (np.arange(COUNT) % 4 > 0).astype(np.float32)
    return patches.repeat(16, 1).repeat(16, 2), sounds, audible


def maps_of(watcher: Watcher, targets: range, *seen: NDArray[Any]) -> NDArray[np.float32]:
    watch = Watch(watcher)
    for few in (range(7), range(7, COUNT)):
        watch.see([*few], *(part[few.start : few.stop] for part in seen))
    return watch.attend(moment(target, COUNT, watcher.reach) for target in targets)


def test_published_maps_are_stretched_before_and_after_the_highest_at_each_place() -> None:
    """The brief: each of three resized and min-max normalised, pixelwise maximum, min-max."""
    chance = np.random.default_rng(0)
    maps = [chance.uniform(0.1, 0.9, (2, *grid)).astype(np.float32) for grid in ((4, 6), (8, 12))]
    maps.append(np.full((2, 4, 6), 0.5, np.float32))  # flat: it says nothing
    together = trained(published=True).together(maps, SIZE)
    assert together.shape == (2, *SIZE)
    assert together.dtype == np.float32
    for at in range(2):
        stretched = []
        for of_one in maps:
            large = enlarge(of_one[at], SIZE)
            span = large.max() - large.min()
            stretched.append((large - large.min()) / (span if span > 1e-6 else 1))
        most = np.zeros(SIZE)
        for y in range(SIZE[0]):
            for x in range(SIZE[1]):
                most[y, x] = max(of_one[y, x] for of_one in stretched)
        expected = (most - most.min()) / (most.max() - most.min())
        np.testing.assert_allclose(together[at], expected, atol=1e-5)


def test_the_highest_of_all_counts_at_each_place_as_it_is() -> None:
    chance = np.random.default_rng(0)
    maps = [chance.uniform(0.1, 0.9, (2, *grid)).astype(np.float32) for grid in ((4, 6), (8, 12))]
    together = trained().together(maps, SIZE)
    one, other = (enlarge(of_one, SIZE) for of_one in maps)
    np.testing.assert_array_equal(together, np.where(one > other, one, other))


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("make", [trained, lambda: sharing(trained())], ids=["apart", "shared"])
@pytest.mark.parametrize("folded", [False, True], ids=["whole", "folded"])
def test_it_says_what_its_three_networks_say_together(
    make: Callable[[], STANetPlus], folded: bool, published: bool
) -> None:
    net = make()
    net.published = published
    clip, targets = chance_clip(), range(0, COUNT, 3)
    of_each = [maps_of(of.watcher(), targets, *clip) for of in net.members]
    watcher = (net.folded() if folded else net).watcher()
    assert isinstance(watcher, Watcher)
    assert watcher.reach == 7
    together = maps_of(watcher, targets, *clip)
    assert together.shape == (len(targets), *SIZE)
    assert ((together.min(), together.max()) == (0, 1)) == published
    expected = net.together(of_each, SIZE)
    np.testing.assert_allclose(together, expected, atol=1e-3 if folded else 1e-4)
    for other in of_each:  # each has its say
        assert np.abs(together - net.together([other], SIZE)).max() > 0.03


def seen_by(net: STANetPlus) -> dict[str, int]:
    """How many pictures and sounds each part is shown while it sees a clip."""
    shown: dict[str, int] = {}

    def counting(name: str) -> Any:
        def count(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            shown[name] = shown.get(name, 0) + len(given[0])

        return count

    for name in ("sta", "short", "cross"):
        for part in ("backbone", "sound_encoder"):
            net.get_submodule(f"{name}.{part}").register_forward_pre_hook(
                counting(f"{name} {part}")
            )
    maps_of(net.watcher(), range(0, COUNT, 3), *chance_clip())
    return shown


def test_what_networks_share_sees_a_frame_once_for_all() -> None:
    assert seen_by(sharing(trained())) == {
        "sta backbone": COUNT,
        "short backbone": COUNT,
        "sta sound_encoder": COUNT,
    }
    parts = ("backbone", "sound_encoder")
    every = [f"{name} {part}" for name in ("sta", "short", "cross") for part in parts]
    assert seen_by(trained()) == dict.fromkeys(every, COUNT)


def test_networks_that_see_other_sizes_share_nothing() -> None:
    net = trained(cross=OF_CROSS | {"input_size": [48, 64]})
    net.cross.backbone.load_state_dict(net.short.backbone.state_dict())
    assert seen_by(net)["cross backbone"] == COUNT


def test_the_switch_closes_the_gates_of_all_three() -> None:
    net = trained(switch=OF_SWITCH)
    assert net.switch is not None
    pictures, sounds, _ = chance_clip()
    audible, targets = np.ones(COUNT, np.float32), range(0, COUNT, 3)

    def each(*clip: NDArray[Any]) -> list[NDArray[np.float32]]:
        watch = Watch(net.watcher())
        watch.see([*range(COUNT)], *clip)
        looks = [
            tuple(watch._looks[key] for key in moment(target, COUNT, net.cross.apart + 1))
            for target in targets
        ]
        return [*net.watcher().attend_each(looks)]

    silent = each(pictures)
    for bias, hears in ((50.0, True), (-50.0, False)):
        with torch.no_grad():
            net.switch.head.match.bias[1] = bias  # type: ignore[union-attr, index, operator]
        for of_one, quiet in zip(each(pictures, sounds, audible), silent, strict=True):
            assert np.allclose(of_one, quiet, atol=1e-5) != hears


def test_a_clip_that_cannot_be_heard_closes_all_gates() -> None:
    net, targets = trained(), range(0, COUNT, 3)
    pictures, sounds, _ = chance_clip()
    deaf = maps_of(net.watcher(), targets, pictures, sounds, np.zeros(COUNT, np.float32))
    np.testing.assert_allclose(deaf, maps_of(net.watcher(), targets, pictures), atol=1e-5)


def test_a_clip_shorter_than_its_reach_has_maps_all_the_same() -> None:
    watcher = trained().watcher()
    pictures, sounds, audible = chance_clip()
    watch = Watch(watcher)
    watch.see([0], pictures[:1], sounds[:1], audible[:1])
    maps = watch.attend([moment(0, 1, watcher.reach)])
    assert maps.shape == (1, *SIZE)
    assert np.isfinite(maps).all()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of STA, both STA+ and the switch, and of all together."""
    folder, net = tmp_path_factory.mktemp("nets"), sharing(trained(switch=OF_SWITCH))
    for name, part in net.named_children():
        part.save_pretrained(folder / name)  # type: ignore[operator]
    save_together({name: folder / name for name, _ in net.named_children()}, folder / "all")
    return folder


def test_what_is_saved_together_comes_back(saved: Path) -> None:
    net, back = sharing(trained(switch=OF_SWITCH)), load_model(saved / "all", "cpu")
    assert isinstance(back, STANetPlus)
    assert saved_as(saved / "all")[0] == "STANet+"
    for name, tensor in net.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    clip, targets = chance_clip(), range(5, 9)
    np.testing.assert_array_equal(
        maps_of(back.watcher(), targets, *clip), maps_of(net.watcher(), targets, *clip)
    )


def test_a_switch_of_stas_own_is_left_out(saved: Path, tmp_path: Path) -> None:
    STA(**OF_STA, switch=OF_SWITCH).save_pretrained(tmp_path / "sta")
    parts = {"sta": tmp_path / "sta", "short": saved / "short", "cross": saved / "cross"}
    save_together(parts, tmp_path / "all")
    back = load_model(tmp_path / "all", "cpu")
    assert isinstance(back, STANetPlus)
    assert (back.switch, back.sta.switch) == (None, None)


def test_a_cross_that_looks_no_farther_than_short_looks_away(saved: Path, tmp_path: Path) -> None:
    parts = {"sta": saved / "sta", "short": saved / "short", "cross": saved / "short"}
    save_together(parts, tmp_path / "all")
    back = load_model(tmp_path / "all", "cpu")
    assert isinstance(back, STANetPlus)
    assert (back.short.apart, back.cross.apart) == (3, 16)


def test_it_watches_clips_short_and_long_in_bounded_memory(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = load_model(saved / "all", "cpu")
    kept = []
    forget = Watch.forget

    def forgetting(self: Watch, before: int) -> None:
        forget(self, before)
        kept.append(len(self._looks))

    monkeypatch.setattr(Watch, "forget", forgetting)
    for count, sound in ((4, beep(1, [0.1])), (90, None)):
        clip = make_clip(tmp_path / f"{count}.mp4", moving_disc(count, SIZE), 25, sound=sound)
        glimpses = [*lookhear.stream(clip, net, every=1)]
        assert len(glimpses) == count
        assert all(glimpse.map.shape == SIZE for glimpse in glimpses)
        assert all(np.isfinite(glimpse.map).all() for glimpse in glimpses)
    assert max(kept) <= 2 * (net.cross.apart + 1) + 4 + 1  # what reaches both ways, and a batch
    prediction = lookhear.predict(tmp_path / "90.mp4", net, every=1)
    np.testing.assert_allclose(prediction.maps, [g.map for g in glimpses], atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"short": OF_CROSS, "cross": OF_PLUS}, "cross must look 3 frames farther than short"),
        ({"sta": OF_STA | {"sound_encoder": None}}, "must hear the same spectrograms"),
        ({"cross": OF_CROSS | {"sound_encoder": None}}, "must hear the same spectrograms"),
        ({"switch": OF_SWITCH | {"sound_encoder": "vggsound-report"}}, "must hear the same"),
        ({"short": OF_PLUS | {"apart": 1}}, "apart must be from 3 to 100"),
    ],
)
def test_networks_that_do_not_go_together_are_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        trained(**wrong)


@pytest.mark.parametrize(
    ("name", "other"),
    [("sta", "short"), ("cross", "sta"), ("switch", "sta"), ("short", "no")],
)
def test_what_cannot_be_saved_together_is_one_line(
    saved: Path, tmp_path: Path, name: str, other: str
) -> None:
    parts = {part: saved / part for part in ("sta", "short", "cross", "switch")}
    with pytest.raises(LookhearError, match=r"^[^\n]+\Z"):
        save_together(parts | {name: saved / other}, tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_network_in_training_mode_watches_nothing() -> None:
    with pytest.raises(LookhearError, match="training mode"):
        trained().train().watcher()


def test_a_model_that_is_there_is_not_written_over(saved: Path) -> None:
    parts = {part: saved / part for part in ("sta", "short", "cross")}
    with pytest.raises(LookhearError, match="is there already; choose another --out"):
        save_together(parts, saved / "all")


def test_of_the_parts_only_sta_plus_may_stand_for_sta_plus() -> None:
    assert [type(of) for of in trained().members] == [STA, STAPlus, STAPlus]
    assert isinstance(trained(switch=OF_SWITCH).switch, AudioSwitch)
