"""Whatever gives maps sees what it ought to see of a clip or picture, once, and nothing else."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn import functional as F

from cam_networks import Convolutional, made
from looked_at import HEIGHT, WIDTH, Film, hum, maps_of
from lookhear.baselines import BASELINES, Baseline, fitted_centre
from lookhear.baselines.pictures import Pictures
from lookhear.cam import class_activation
from lookhear.errors import LookhearError
from lookhear.evaluation.cams import OfOwn, OfSource
from lookhear.evaluation.models import (
    BATCH_SIZE,
    NEIGHBOUR_SECONDS,
    OfBaseline,
    OfFittedCentre,
    OfWatcher,
)
from lookhear.evaluation.scoring import inter_observer
from lookhear.maps import Maps
from lookhear.media.spectrogram import VGGSOUND, Stft, log_spectrogram
from lookhear.metrics import METRIC_NAMES
from lookhear.nets.saved import load_watcher
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sta import STA, Seen

TINY: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "input_size": (HEIGHT, WIDTH),
}
CATEGORIES = ("Bark", "Flute", "Horn")


def with_a_say(net: nn.Module) -> Any:
    """An untrained network whose sound and time make a difference."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)
    return net.eval()


@pytest.fixture(scope="module")
def sta() -> STA:
    torch.manual_seed(0)
    net = STA(**TINY, sound_encoder="light", sound_gate="matching", width=8, strides=(4, 8, 16))
    net = with_a_say(net)
    with torch.no_grad():  # from 0.01 to 0.99, as a float32 nearer to 1 hardly tells log-odds
        for parameter in net.head.out_fine.parameters():
            parameter.mul_(0.4)
    return net


@pytest.fixture(scope="module")
def sources() -> dict[str, S | SA | ST]:
    deep = TINY | {"width": 8, "hidden": 0, "stride": 16}
    torch.manual_seed(5)
    hearing = SA(CATEGORIES, **deep, sound_encoder="light", sound_gate="matching")
    plain, timed = S(CATEGORIES, **TINY), ST(CATEGORIES, **deep)
    return {"S": with_a_say(plain), "SA": with_a_say(hearing), "ST": with_a_say(timed)}


def pictures(film: Film, indices: list[int]) -> Tensor:
    frames = np.stack([film.pixels(index) for index in indices])
    return torch.from_numpy(frames).permute(0, 3, 1, 2) / 255


def around(film: Film, index: int) -> NDArray[np.float32]:
    """The second of sound around a frame."""
    assert film.samples is not None
    middle = round(film.time(index) * 16_000)
    padded = np.pad(film.samples, 16_000)
    return padded[middle + 8_000 : middle + 24_000]


def spectrograms(film: Film, indices: list[int], windows: Stft) -> Tensor:
    return torch.from_numpy(
        np.stack([log_spectrogram(around(film, index), *windows) for index in indices])
    )


def triplet(film: Film, index: int) -> list[int]:
    assert film.frame_rate is not None
    step = max(round(film.frame_rate * NEIGHBOUR_SECONDS), 1)
    return [max(index - step, 0), index, min(index + step, film.frame_count - 1)]


@torch.inference_mode()
def attended(net: STA, film: Film, index: int, *, hears: bool = True) -> Maps:
    """What the network itself says of a moment: the sigmoid of logits that are enlarged first."""
    before, target, after = triplet(film, index)
    heard: tuple[Tensor, ...] = ()
    if hears:
        audible = torch.tensor([float(around(film, index).any())])
        assert net.sound_encoder is not None
        heard = (spectrograms(film, [target], net.sound_encoder.windows), audible)
    seen = [
        net.see(pictures(film, [before])),
        net.see(pictures(film, [target]), *heard),
        net.see(pictures(film, [after])),
    ]
    return enlarged(net, *seen)


def enlarged(net: STA, before: Seen, target: Seen, after: Seen) -> Maps:
    _, logits = net.head.attend(before, target, after)
    large = F.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear")
    return torch.sigmoid(large)[0, 0].detach().numpy()


def watching(net: STA) -> OfWatcher:
    return OfWatcher(load_watcher(net))


def assert_attends(net: STA, film: Film, indices: list[int], *, hears: bool = True) -> None:
    for index, found in zip(indices, maps_of(watching(net), film, indices), strict=True):
        expected = attended(net, film, index, hears=hears)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=str(index))


@pytest.mark.parametrize(
    ("rate", "indices"),
    [
        (8.0, [*range(20)]),  # each frame's neighbours are those beside it
        (25.0, [*range(20)]),
        (25.0, [2, 7, 12, 17]),
        (100.0, [*range(26)]),  # neighbours are more than a batch away
    ],
)
def test_sta_gives_the_maps_of_the_network_itself(
    sta: STA, rate: float, indices: list[int]
) -> None:
    count = indices[-1] + 1
    assert_attends(sta, Film(count, rate, hum(count / rate)), indices)


def test_sound_and_neighbours_make_a_difference_to_the_network_tested(sta: STA) -> None:
    film = Film(9, 8.0, hum(2))
    true = attended(sta, film, 4)
    assert np.abs(attended(sta, film, 4, hears=False) - true).max() > 1e-3
    still = Film(1, 8.0, hum(2))
    still.pixels = lambda _: film.pixels(4)  # type: ignore[method-assign]
    still.time = lambda _: 0.5  # type: ignore[method-assign]
    assert np.abs(attended(sta, still, 0) - true).max() > 1e-3


def test_sound_is_heard_in_the_order_of_time_however_frames_are_asked_for(sta: STA) -> None:
    """At 60 a second, of every three: an earlier batch needs the last frame for a neighbour."""
    count = 173
    indices = [*range(1, count, 3)]
    assert indices[-1] == count - 1
    assert len(indices) % BATCH_SIZE == 2
    film = Film(count, 60.0, hum(count / 60))
    maps = maps_of(watching(sta), film, indices)
    for at in (0, 30, *range(len(indices) - 3, len(indices))):
        np.testing.assert_allclose(maps[at], attended(sta, film, indices[at]), atol=1e-5)


@pytest.mark.parametrize("indices", [[*range(20)], [2, 7, 12, 17]])
def test_each_frame_goes_through_the_network_once(
    sta: STA, indices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    see = STA.see

    def counted(net: STA, frames: Tensor, *heard: Tensor) -> Seen:
        nonlocal seen
        seen += len(frames)
        return see(net, frames, *heard)

    monkeypatch.setattr(STA, "see", counted)
    film = Film(20, 25.0, hum(1))
    maps_of(watching(sta), film, indices)
    needed = {frame for index in indices for frame in triplet(film, index)}
    assert seen == len(needed)
    assert sorted(film.looked_at) == sorted(needed)


def test_silence_closes_the_sound_gate(sta: STA) -> None:
    """Whether a clip has no sound, or nothing can be heard of it."""
    count = 20
    assert_attends(sta, Film(count, 8.0), [*range(count)], hears=False)
    silent = np.zeros(3 * 16_000, np.float32)
    assert_attends(sta, Film(count, 8.0, silent), [*range(count)], hears=False)
    half = silent.copy()
    half[:16_000] = hum(1)
    assert_attends(sta, Film(count, 8.0, half), [0, 4, 16, 19])
    assert_attends(sta, Film(count, 8.0, half), [13, 16, 19], hears=False)


def test_a_deaf_network_does_not_listen(tiny_net: STA) -> None:
    film = Film(3, 8.0, hum(1))
    film.sound = lambda: pytest.fail("listened")  # type: ignore[method-assign]
    assert maps_of(watching(tiny_net), film, [0, 1, 2]).shape[0] == 3


def test_a_picture_is_its_own_neighbour(sta: STA) -> None:
    picture = Film(1, None)
    seen = sta.see(pictures(picture, [0]))
    expected = enlarged(sta, seen, seen, seen)
    np.testing.assert_allclose(maps_of(watching(sta), picture, [0])[0], expected, atol=1e-5)


@pytest.mark.parametrize("rate", [8.0, None])
def test_a_baseline_sees_the_frame_before_in_a_clip_and_none_of_a_picture(
    rate: float | None,
) -> None:
    given: list[tuple[Pictures, Pictures | None]] = []

    def baseline(frames: Pictures, before: Pictures | None) -> Maps:
        given.append((frames, before))
        return frames[..., 0].astype(np.float32)

    def shown(indices: list[int]) -> Pictures:
        return np.stack([film.pixels(index) for index in indices])

    film = Film(12 if rate else 1, rate)
    indices = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11] if rate else [0]
    maps = maps_of(OfBaseline(baseline), film, indices)
    np.testing.assert_array_equal(maps, shown(indices)[..., 0])
    np.testing.assert_array_equal(np.concatenate([frames for frames, _ in given]), shown(indices))
    if rate is None:
        assert given[0][1] is None
    else:
        before = np.concatenate([before for _, before in given if before is not None])
        np.testing.assert_array_equal(before, shown([0, 0, 3, 4, 5, 6, 7, 8, 9, 10]))


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
def test_a_picture_too_small_for_baselines_is_one_line(baseline: Baseline) -> None:
    for size in ((15, 40), (40, 15)):
        with pytest.raises(LookhearError, match=r"^film: is \d+ x \d+ pixels, but .* 16 a side;"):
            maps_of(OfBaseline(baseline), Film(1, None, size=size), [0])
    assert len(maps_of(OfBaseline(baseline), Film(1, None, size=(16, 16)), [0])) == 1


@pytest.mark.parametrize("odd", [1, 9])
def test_frames_of_unequal_size_are_one_line(odd: int) -> None:
    film = Film(10)
    pixels = film.pixels
    film.pixels = lambda index: pixels(index)[: 32 if index == odd else HEIGHT]  # type: ignore[method-assign]
    for model in (OfBaseline(BASELINES["centre"]), OfOwn(made(Convolutional, 2), "GradCAM")):
        complaint = rf"^film: frame {odd + 1} is 64 x 32 pixels, the first 64 x 48; copy"
        with pytest.raises(LookhearError, match=complaint):
            maps_of(model, film, [*range(10)])


def scattered(seed: int, count: int = 6) -> Film:
    looks = np.random.default_rng(seed).uniform((4, 4), (WIDTH - 4, HEIGHT - 4), (count, 3, 2))
    return Film(count, looks=looks.tolist(), name=f"film {seed}")


def test_a_fitted_centre_never_sees_where_people_looked_in_its_own_clip() -> None:
    films = [scattered(seed) for seed in range(3)]
    prior = fitted_centre(np.concatenate([films[0].places(), films[2].places()]))
    (found, again) = maps_of(OfFittedCentre(films), films[1], [0, 4])
    np.testing.assert_allclose(found, prior.prior(HEIGHT, WIDTH))
    np.testing.assert_array_equal(found, again)
    films[1].looks = [[(1.0, 1.0)]] * 6
    np.testing.assert_array_equal(maps_of(OfFittedCentre(films), films[1], [0])[0], found)
    assert np.abs(maps_of(OfFittedCentre(films), films[2], [0])[0] - found).max() > 0.01


def test_a_centre_cannot_be_fitted_to_nothing() -> None:
    film = scattered(0)
    with pytest.raises(LookhearError, match="film 0: there is nothing else to fit a centre to"):
        maps_of(OfFittedCentre([film]), film, [0])
    unwatched = Film(1, looks=[[]], name="other")
    with pytest.raises(LookhearError, match="do not spread"):
        maps_of(OfFittedCentre([film, unwatched]), film, [0])


GRID = (30, 40)  # a degree of visual angle is 0.03 x 40 = 1.2 pixels
HERE, THERE = (10.5, 12.5), (30.5, 15.5)


def of_people(*looks: tuple[float, float]) -> dict[str, float]:
    film = Film(1, looks=[looks], size=GRID)
    found = inter_observer(film, [0], film.annotate([0]))
    assert tuple(found) == METRIC_NAMES
    assert all(values.dtype == np.float64 for values in found.values())
    return {metric: float(*values) for metric, values in found.items()}


def test_people_who_look_at_one_place_predict_one_another() -> None:
    spot = np.zeros(GRID)
    spot[12, 10] = 1
    blurred = gaussian_filter(spot, 1.2, mode="mirror")
    standardised = (blurred - blurred.mean()) / blurred.std(ddof=1)
    found = of_people(HERE, HERE)
    assert found["NSS"] == pytest.approx(standardised[12, 10], rel=1e-5)
    assert [found[metric] for metric in ("AUC-J", "SIM", "CC")] == pytest.approx([1, 1, 1])
    assert found["KL"] == pytest.approx(0, abs=1e-9)


def test_people_who_look_elsewhere_do_not() -> None:
    """Each is 0 in the other's density, which is above 0 in a square of 11 x 11 pixels."""
    spot = np.zeros(GRID)
    spot[12, 10] = 1
    blurred = gaussian_filter(spot, 1.2, mode="mirror")
    found = of_people(HERE, THERE)
    assert found["NSS"] == pytest.approx(-blurred.mean() / blurred.std(ddof=1), rel=1e-5)
    pixels, square = 30 * 40, 11**2
    # Of those equal to the one looked at, half outrank it; the curve has one corner.
    false_alarms = (square + (pixels - 1 - square) / 2) / (pixels - 1)
    assert found["AUC-J"] == pytest.approx(1 - false_alarms / 2)
    assert found["SIM"] == pytest.approx(0)


def test_of_several_people_the_mean_counts() -> None:
    together, apart = of_people(HERE, HERE)["NSS"], of_people(HERE, THERE)["NSS"]
    # The two at one place are predicted by a density of two spots.
    spots = np.zeros(GRID)
    spots[12, 10] = spots[15, 30] = 1
    blurred = gaussian_filter(spots, 1.2, mode="mirror")
    of_two = ((blurred - blurred.mean()) / blurred.std(ddof=1))[12, 10]
    found = of_people(HERE, HERE, THERE)["NSS"]
    assert found == pytest.approx((2 * of_two + apart) / 3, rel=1e-5)
    assert apart < found < together


def test_one_person_alone_cannot_be_predicted() -> None:
    assert all(np.isnan(value) for value in of_people(HERE).values())
    assert all(np.isnan(value) for value in of_people().values())


@pytest.mark.parametrize("name", ["S", "SA", "ST"])
@pytest.mark.parametrize("has_sound", [True, False])
def test_a_source_is_mapped_where_it_sees_its_most_probable_class(
    sources: dict[str, Any], name: str, has_sound: bool
) -> None:
    film = Film(11, 25.0, hum(1) if has_sound else None)
    net, indices = sources[name], [0, 1, 2, 5, 6, 7, 8, 9, 10]
    maps = maps_of(OfSource(net, "EigenGradCAM"), film, indices)
    beside = torch.stack(
        [pictures(film, [triplet(film, i)[at] for i in indices]) for at in (0, 2)], 1
    )
    classifier = net.as_classifier(
        spectrograms(film, indices, VGGSOUND) if name == "SA" and has_sound else None,
        beside if name == "ST" else None,
    )
    frames = pictures(film, indices)
    with torch.inference_mode():
        classes = classifier(frames).argmax(1)
    expected = class_activation(classifier, frames, classes.clone(), "EigenGradCAM")
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert np.ptp(maps, axis=(1, 2)).max() > 1e-3


def test_sound_and_neighbours_make_a_difference_to_the_sources_tested(
    sources: dict[str, Any],
) -> None:
    hearing, timed = (OfSource(sources[name], "EigenGradCAM") for name in ("SA", "ST"))
    film, deaf = Film(11, 25.0, hum(1)), Film(11, 25.0)
    assert np.abs(maps_of(hearing, film, [5]) - maps_of(hearing, deaf, [5])).max() > 1e-3
    still = Film(1, None)
    still.pixels = lambda _: film.pixels(5)  # type: ignore[method-assign]
    moved, alone = maps_of(timed, film, [5]), maps_of(timed, still, [0])
    assert np.abs(moved - alone).max() > 1e-3


def test_a_classifier_of_ones_own_is_mapped_where_it_sees_its_most_probable_class() -> None:
    net = made(Convolutional, 2)
    film = Film(10)
    maps = maps_of(OfOwn(net, "GradCAM"), film, [*range(10)])
    frames = pictures(film, [*range(10)])
    classes = net(frames).argmax(1)
    np.testing.assert_allclose(maps, class_activation(net, frames, classes, "GradCAM"), atol=1e-5)


def test_a_classifier_of_ones_own_may_have_an_input_size() -> None:
    net = made(Convolutional, 2)
    net.input_size = (20, 24)  # type: ignore[assignment]
    assert maps_of(OfOwn(net, "EigenCAM"), Film(2), [0, 1]).shape == (2, 10, 12)


class Odd(nn.Module):
    """Has no parameters, and gives or does what it is told."""

    def __init__(self, does: Any) -> None:
        super().__init__()
        self.does = does

    def forward(self, frames: Tensor) -> Any:
        return self.does(frames)


@pytest.mark.parametrize(
    ("does", "complaint"),
    [
        (lambda frames: frames @ torch.zeros(3, 3), r"network Odd: fails on pictures \(1, 3, "),
        (lambda frames: {"logits": frames.mean((2, 3))}, "network Odd: gives no logits"),
        (lambda frames: frames, "network Odd: gives no logits"),
        (lambda frames: frames.mean((2, 3)), "network Odd: no layer of it has places"),
    ],
)
def test_a_classifier_of_ones_own_that_does_not_fit_is_said(does: Any, complaint: str) -> None:
    with pytest.raises(LookhearError, match=complaint):
        maps_of(OfOwn(Odd(does), "GradCAM"), Film(1, None), [0])
