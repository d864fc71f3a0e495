"""Batches of moments, varied by chance or only resized."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch, random_views
from spots import blob

PAPER_JITTER = (0.3, 0.3, 0.3, 0.1)
NO_JITTER = (0.0, 0.0, 0.0, 0.0)
PREPARED = (24, 32)


def batch_of(frames: Tensor, **more: Tensor) -> Batch:
    """A batch as Moments without partners make it: frames (B, F, 3, H, W), maps (B, h, w)."""
    count = len(frames)
    if "fixations" in more:
        more["fixations"] = more["fixations"][:, None]
    return {
        "frames": frames[:, None].mul(255).round().byte(),
        "has_sound": torch.ones(count, 1, dtype=torch.bool),
        "time": torch.zeros(count, 1),
        "clip": torch.zeros(count, 1, dtype=torch.int64),
        "tag": torch.arange(count),
        **more,
    }


def of_targets(batch: Batch) -> Batch:
    """What is of the moments themselves."""
    return {name: part if name == "tag" else part[:, 0] for name, part in batch.items()}


def varied_targets(batch: Batch, size: tuple[int, int], augmentation: Augmentation) -> Batch:
    return of_targets(random_batch(batch, size, augmentation))


def test_all_frames_of_a_moment_are_varied_alike() -> None:
    torch.manual_seed(0)
    batch = batch_of(torch.rand(4, 1, 3, *PREPARED).expand(-1, 3, -1, -1, -1))
    frames = varied_targets(batch, (16, 20), Augmentation(PREPARED, 0.7, PAPER_JITTER))["frames"]
    assert frames.shape == (4, 3, 3, 16, 20)
    assert 0 <= frames.min() < frames.max() <= 1
    torch.testing.assert_close(frames[:, 0], frames[:, 1])
    torch.testing.assert_close(frames[:, 0], frames[:, 2])


def test_moments_of_a_batch_are_varied_differently() -> None:
    torch.manual_seed(0)
    batch = batch_of(torch.rand(1, 1, 3, *PREPARED).expand(4, -1, -1, -1, -1))
    for augmentation in (
        Augmentation(PREPARED, 0.7, NO_JITTER),
        Augmentation(PREPARED, 1, PAPER_JITTER),
    ):
        frames = varied_targets(batch, PREPARED, augmentation)["frames"]
        assert len(frames.flatten(1).unique(dim=0)) == 4


def test_fixations_are_cropped_and_mirrored_with_the_frames() -> None:
    torch.manual_seed(0)
    # Smooth pictures of one thing each, which people look at, on maps of half their size.
    places = torch.rand(16, 1, 6, 8)
    thing = F.interpolate(places, (48, 64), mode="bilinear")
    batch = batch_of(
        thing[:, None].expand(-1, 1, 3, -1, -1),
        fixations=F.interpolate(thing, (24, 32), mode="bilinear", antialias=True)[:, 0],
    )
    varied = varied_targets(batch, (48, 64), Augmentation((48, 64), 0.6, NO_JITTER))
    assert varied["fixations"].shape == (16, 24, 32)
    seen = F.interpolate(varied["frames"][:, 0, :1], (24, 32), mode="bilinear", antialias=True)
    away = (seen[:, 0] - varied["fixations"]).abs().mean()
    assert away < 0.01
    assert (seen[:, 0] - batch["fixations"][:, 0]).abs().mean() > 10 * away  # it did move


def test_sound_is_turned_round_and_noisy() -> None:
    torch.manual_seed(0)
    sound = torch.randn(2, 1, 3, 5, 98)
    batch = batch_of(torch.rand(2, 3, 3, *PREPARED), sound=sound)
    varied = varied_targets(batch, PREPARED, Augmentation(PREPARED, 1, sound_noise=0.01))["sound"]
    assert varied.shape == (2, 3, 5, 98)
    away = torch.stack([(varied - sound[:, 0].roll(by, -1)).abs().amax() for by in range(98)])
    assert 0.01 < away.min() < 0.1  # noise
    assert away.argmin() != 0
    assert away.sort()[0][1] > 1  # all turned alike


def test_without_noise_sound_stays_as_it_is() -> None:
    sound = torch.randn(2, 1, 1, 5, 98)
    batch = batch_of(torch.rand(2, 1, 3, *PREPARED), sound=sound)
    varied = varied_targets(batch, PREPARED, Augmentation(PREPARED, 0.7, PAPER_JITTER))
    assert torch.equal(varied["sound"], sound[:, 0])


def test_a_crop_of_all_without_jitter_is_the_frame_or_its_mirror_image() -> None:
    torch.manual_seed(1)
    batch = batch_of(torch.rand(8, 1, 3, 16, 16))
    frames = varied_targets(batch, (16, 16), Augmentation((16, 16), 1, NO_JITTER))["frames"]
    mirrored = []
    for frame, varied in zip(batch["frames"][:, 0] / 255, frames, strict=True):
        mirrored.append(torch.allclose(varied, frame.flip(-1), atol=1e-5))
        assert mirrored[-1] or torch.allclose(varied, frame, atol=1e-5)
    assert 0 < sum(mirrored) < 8


def test_a_published_crop_is_a_piece_of_the_frame_pixel_by_pixel() -> None:
    torch.manual_seed(2)
    frames = torch.rand(64, 1, 3, 6, 9)
    fixations = frames[:, 0, 0].mul(255).round() / 255
    batch = batch_of(frames, fixations=fixations)
    augmentation = Augmentation((6, 9), None, NO_JITTER)
    varied = varied_targets(batch, (4, 6), augmentation)
    corners = set()
    for frame, cut in zip(batch["frames"][:, 0] / 255, varied["frames"], strict=True):
        places = [
            (top, left)
            for top in range(3)
            for left in range(4)
            if torch.allclose(cut, frame[..., top : top + 4, left : left + 6], atol=1e-5)
        ]
        assert len(places) == 1
        corners |= {*places}
    assert corners == {(top, left) for top in range(3) for left in range(4)}
    # Whole, it is the frame, never mirrored, and so are the maps.
    whole = varied_targets(batch, (6, 9), augmentation)
    torch.testing.assert_close(whole["frames"], batch["frames"][:, 0] / 255, atol=1e-5, rtol=0)
    torch.testing.assert_close(whole["fixations"], fixations, atol=1e-5, rtol=0)


def test_maps_are_cut_with_their_frames() -> None:
    torch.manual_seed(2)
    frames = torch.rand(8, 1, 1, 12, 18).expand(-1, -1, 3, -1, -1)
    batch = batch_of(frames, fixations=frames[:, 0, 0].mul(255).round() / 255)
    varied = varied_targets(batch, (8, 12), Augmentation((12, 18), None, NO_JITTER))
    # Maps keep their size, and so the piece is enlarged again.
    seen = F.interpolate(varied["frames"][:, 0, :1], (12, 18), mode="bilinear")[:, 0]
    inner = (slice(None), slice(1, -1), slice(1, -1))  # maps know what is beyond the piece
    torch.testing.assert_close(varied["fixations"][inner], seen[inner], atol=1e-4, rtol=0)


def test_a_plain_batch_is_only_resized() -> None:
    torch.manual_seed(0)
    sound, fixations = torch.randn(2, 1, 3, 5, 98), torch.rand(2, 12, 16)
    batch = batch_of(torch.rand(2, 3, 3, *PREPARED), sound=sound, fixations=fixations)
    plain = of_targets(plain_batch(batch, PREPARED))
    assert plain.keys() == {"frames", "sound", "has_sound", "tag", "fixations"}
    torch.testing.assert_close(plain["frames"], batch["frames"][:, 0] / 255)
    assert torch.equal(plain["sound"], sound[:, 0])
    assert torch.equal(plain["fixations"], fixations)
    assert plain["has_sound"].shape == plain["tag"].shape == (2,)
    half = of_targets(plain_batch(batch, (12, 16)))["frames"]
    shrunk = F.interpolate(plain["frames"][:, 1], (12, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(half[:, 1], shrunk)
    assert torch.equal(half, of_targets(plain_batch(batch, (12, 16)))["frames"])


def test_a_batch_of_sound_alone_is_varied_too() -> None:
    batch = {
        "sound": torch.randn(2, 1, 1, 5, 98),
        "has_sound": torch.tensor([[True], [False]]),
        "tag": torch.tensor([1, 0]),
    }
    augmentation = Augmentation(PREPARED, 0.7, sound_noise=0.1)
    for varied in (
        varied_targets(batch, PREPARED, augmentation),
        of_targets(plain_batch(batch, PREPARED)),
    ):
        assert varied.keys() == batch.keys()
        assert varied["has_sound"].tolist() == [True, False]


def test_partners_are_varied_as_their_target_is() -> None:
    torch.manual_seed(0)
    frame, sound = torch.rand(4, 1, 1, 3, *PREPARED), torch.randn(4, 1, 1, 5, 98)
    batch = {
        "frames": frame.expand(-1, 3, 2, -1, -1, -1).mul(255).byte(),
        "sound": sound.expand(-1, 3, 2, -1, -1),
        "has_sound": torch.ones(4, 3, dtype=torch.bool),
        "tag": torch.arange(4),
        "fixations": torch.rand(4, 1, 12, 16).expand(-1, 3, -1, -1),
    }
    varied = random_batch(batch, (16, 20), Augmentation(PREPARED, 0.7, PAPER_JITTER))
    assert varied["frames"].shape == (4, 3, 2, 3, 16, 20)
    assert varied["fixations"].shape == (4, 3, 12, 16)
    assert varied["sound"].shape == (4, 3, 2, 5, 98)
    assert varied["has_sound"].shape == (4, 3)
    for name in ("frames", "fixations"):
        for partner in (1, 2):
            torch.testing.assert_close(varied[name][:, partner], varied[name][:, 0])
    plain = plain_batch(batch, PREPARED)
    torch.testing.assert_close(plain["frames"], batch["frames"] / 255)


def test_views_move_picture_and_density_alike() -> None:
    torch.manual_seed(3)
    spots = torch.stack([blob(60, 80, y, x, 4) for y, x in ((20, 30), (40, 50), (30, 15))])
    pictures = spots[:, None].expand(-1, 3, -1, -1)
    views = random_views(pictures, spots, (48, 64), smallest_crop=0.8, moving=2)
    assert views.target.shape == (3, 3, 48, 64)
    assert views.before.shape == views.after.shape == (2, 3, 48, 64)
    assert views.density.shape == (3, 24, 32)
    for picture, density in zip(views.target.mean(1), views.density, strict=True):
        seen = torch.nonzero(picture == picture.max())[0] / torch.tensor([48, 64])
        looked = torch.nonzero(density == density.max())[0] / torch.tensor([24, 32])
        torch.testing.assert_close(seen, looked, atol=0.06, rtol=0)
    assert not torch.allclose(views.before, views.target[:2])
    assert not torch.allclose(views.before, views.after)
