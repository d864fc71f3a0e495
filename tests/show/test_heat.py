"""Attention over video planes and over stills, and in words."""

import cv2
import numpy as np
import pytest

from lookhear.maps import Maps, Peak
from lookhear.media.stills import encode_png
from lookhear.show import heat
from lookhear.show.heat import Pixels
from lookhear.words import place_name

BT709 = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])


def smooth_noise(seed: int, *shape: int) -> Maps:
    noise = cv2.GaussianBlur(
        np.random.default_rng(seed).random(shape, dtype=np.float32), (0, 0), shape[0] / 12
    )
    return (noise - noise.min()) / (noise.max() - noise.min())


def picture_of(height: int, width: int) -> Pixels:
    channels = [smooth_noise(seed, height, width) for seed in range(3)]
    return (255 * np.stack(channels, axis=-1)).astype(np.uint8)


def to_yuv(picture: Pixels) -> list[Pixels]:
    """BT.709 limited range, chroma averaged over 2 x 2."""
    height, width = picture.shape[:2]
    chroma_size = (width + 1) // 2, (height + 1) // 2
    planes = picture / 255.0 @ BT709.T * (219, 224, 224) + (16, 128, 128)
    y, u, v = (np.ascontiguousarray(plane) for plane in np.moveaxis(planes, -1, 0))
    u, v = (cv2.resize(plane, chroma_size, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return [plane.round().astype(np.uint8) for plane in (y, u, v)]


@pytest.mark.parametrize(("height", "width"), [(144, 256), (145, 255), (256, 144)])
def test_overlay_on_planes_equals_the_blend_in_rgb(height: int, width: int) -> None:
    picture, attention = picture_of(height, width), smooth_noise(9, 60, 100)
    planes = to_yuv(picture)
    blended = heat.Overlay(height, width).blend(*planes, attention)
    for plane, expected in zip(blended, to_yuv(heat.blend_rgb(picture, attention)), strict=True):
        differences = np.abs(plane.astype(int) - expected)
        assert differences.max() <= 6
        assert differences.mean() <= 1


def test_overlay_takes_padded_rows_and_leaves_the_decoders_planes_alone() -> None:
    attention, plain = smooth_noise(1, 18, 32), to_yuv(picture_of(72, 128))
    padded = [np.pad(plane, ((0, 0), (0, 24)), constant_values=7)[:, :-24] for plane in plain]
    before = [plane.copy() for plane in padded]
    for plane in padded:
        plane.flags.writeable = False
    blended = heat.Overlay(72, 128).blend(*padded, attention)
    expected = heat.Overlay(72, 128).blend(*plain, attention)
    for made, wanted, given, was in zip(blended, expected, padded, before, strict=True):
        np.testing.assert_array_equal(made, wanted)
        np.testing.assert_array_equal(given, was)


def test_what_was_blended_holds_until_so_many_more_are() -> None:
    planes, overlay = to_yuv(picture_of(72, 128)), heat.Overlay(72, 128, held=2)
    maps = [smooth_noise(seed, 9, 16) for seed in range(3)]
    alone = [heat.Overlay(72, 128).blend(*planes, attention) for attention in maps]
    first, second = (overlay.blend(*planes, attention) for attention in maps[:2])
    for made, wanted in zip((*first, *second), (*alone[0], *alone[1]), strict=True):
        np.testing.assert_array_equal(made, wanted)
    overlay.blend(*planes, maps[2])
    for made, wanted in zip(first, alone[2], strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_where_there_is_no_attention_the_picture_is_untouched() -> None:
    picture, nowhere = picture_of(72, 128), np.zeros((9, 16), np.float32)
    np.testing.assert_array_equal(heat.blend_rgb(picture, nowhere), picture)
    planes = to_yuv(picture)
    blended = heat.Overlay(72, 128).blend(*planes, nowhere)
    for plane, expected in zip(blended, planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


def test_the_picture_shows_through_the_strongest_attention() -> None:
    everywhere = np.ones((4, 4), np.float32)
    dark, light = (np.full((8, 8, 3), level, np.uint8) for level in (0, 255))
    contrast = heat.blend_rgb(light, everywhere).astype(int) - heat.blend_rgb(dark, everywhere)
    assert contrast.min() >= 50


def test_heat_gets_lighter_with_attention() -> None:
    lightness = cv2.cvtColor(heat.HEAT[np.newaxis], cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert np.all(np.diff(lightness) >= 0)
    assert lightness[-1] - lightness[0] > 150


def test_blending_leaves_the_given_picture_alone() -> None:
    picture = picture_of(36, 64)
    before = picture.copy()
    heat.mark(heat.blend_rgb(picture, smooth_noise(2, 9, 16)), Peak(0.5, 0.5, 1))
    heat.mark(picture, Peak(0.5, 0.5, 1))
    np.testing.assert_array_equal(picture, before)


def test_what_a_network_predicts_is_enlarged_through_its_log_odds_to_be_shown() -> None:
    logits = (8 * smooth_noise(3, 6, 9) - 4).astype(np.float32)
    attention = 1 / (1 + np.exp(-logits))
    large = cv2.resize(logits, (72, 48), interpolation=cv2.INTER_CUBIC)
    expected = 1 / (1 + np.exp(-large))
    np.testing.assert_allclose(heat.shown(attention), expected / expected.max(), atol=1e-5)
    other = cv2.resize(attention, (72, 48), interpolation=cv2.INTER_CUBIC)
    shown = (other / other.max()).clip(0, 1)
    np.testing.assert_allclose(heat.shown_map(attention), shown, atol=1e-5)
    assert np.abs(heat.shown(attention) - shown).max() > 0.02


def test_attention_that_is_faint_everywhere_is_shown_faintly() -> None:
    for shown in (heat.shown, heat.shown_map):
        faint = shown(np.full((2, 3), heat.FAINT / 5, np.float32))
        np.testing.assert_allclose(faint, 0.2, atol=1e-5)


def test_a_mark_rings_its_place() -> None:
    marked = heat.mark(np.zeros((100, 200, 3), np.uint8), Peak(0.25, 0.6, 1))
    rows, columns = np.nonzero(marked.max(axis=-1) > 200)
    assert (columns.mean(), rows.mean()) == pytest.approx((49.5, 59.5), abs=0.5)
    assert marked[60, 50].max() == 0


def test_grey_pictures_keep_maps_on_one_scale() -> None:
    attention = np.linspace(0, 0.6, 1000, dtype=np.float32).reshape(20, 50)
    saved = encode_png(heat.grey(attention))
    read = cv2.imdecode(np.frombuffer(saved, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.shape == (20, 50)
    np.testing.assert_allclose(read / 255, attention, atol=1 / 509)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((0, 0), "upper left"),
        ((0.5, 0.5), "centre"),
        ((1, 0.5), "middle right"),
        ((0.4, 1), "lower centre"),
    ],
)
def test_places_have_names(place: tuple[float, float], name: str) -> None:
    assert place_name(*place) == name
    assert heat.in_words(Peak(*place, 1)) == f"strongest in the {name}"
    assert heat.in_words(None) == "even"


@pytest.mark.parametrize("size", [(72, 128), (90, 160), (71, 93)])
@pytest.mark.parametrize("place", [(0, 0), (4, 9), (8, 15)])
def test_heat_that_is_seen_in_a_part_is_blended_there_as_in_the_whole(
    size: tuple[int, int], place: tuple[int, int]
) -> None:
    attention = np.full((9, 16), 0.05, np.float32)
    attention[place] = 0.9
    planes = to_yuv(picture_of(*size))
    part = heat.Overlay(*size).blend(*planes, heat.shown(attention))
    seen_everywhere = heat.HEAT_LOOK._replace(alpha=np.maximum(heat.HEAT_LOOK.alpha, 0.003))
    whole = heat.Overlay(*size, look=seen_everywhere).blend(*planes, heat.shown(attention))
    for mine, other in zip(part, whole, strict=True):
        assert abs(mine.astype(int) - other).max() <= 3
