"""Saliency Tubes of a 3D network that learnt from tags alone, where the answers are known.

    python benchmarks/tubes.py OUT [--tested 30]

makes two worlds of actions in OUT (the first to learn from; the second, of another seed, to measure
on), trains a network for some minutes, saves it as OUT/network.safetensors, and prints how much of
its tubes lies on the thing that acts and whether they peak while it does, beside the same of what
moves; and, for some clips, deletion and insertion. Making the worlds goes on where a run was
stopped; a network that is there already is only measured.
"""

import argparse
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

import lookhear
from lookhear.cli.console import bars
from lookhear.data.readers.ave import read_ave
from lookhear.data.readers.tagged import TaggedClip
from lookhear.data.world.clip import HEIGHT, WIDTH
from lookhear.data.world.files import TRUTH, World, write_world
from lookhear.data.world.motions import ACTIONS
from lookhear.data.world.truth import Truth, read_truth
from lookhear.media import open_clip
from lookhear.parallel import cores
from lookhear.progress import Progress
from lookhear.tubes.networks import Classifier, load_classifier
from lookhear.tubes.tube import Tube
from lookhear.tubes.windows import ClipWindows, Framing

LEARN = World("actions", clips=1000, seed=31, duration=4.0)
TEST = World("actions", clips=100, seed=33, duration=6.0)

STRIDE = 4
SIZE = 18 * STRIDE + 1, 32 * STRIDE + 1  # pixels: the corner cells are on the corner pixels
FRAMES_PER_SECOND = 8
TIME_KERNEL = 5  # frames
CHANNELS, FEATURES = 24, 18
USUAL_STEP = 0.1  # by which colours change where something moves, from a frame to the next
STRONGEST = 0.01  # share of the places that count

EPOCHS = 6
BATCH_SIZE = 8
LEARNING_RATE = 4e-3
SPARSITY = 1.0  # weight of the mean evidence in the loss
SPARSE_FROM = 0.25  # of the steps: not before something was learnt; in full after as many again
BRIGHTNESS = 0.2  # either way

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class ActionNet(nn.Module):
    """Names actions by how things move, from frames' differences.

    Evidence counts only at places that move: a place sees what is around it, and with tags alone
    nothing else would tell the network to put the evidence on the thing and not beside it. It is
    never negative, nor are the weights that predict from it: where nothing acts, a tube is 0.

    Attributes:
        categories: the actions, in the order of the logits.
        frames: of a window, 6 s.
        frame_rate: frames a second.
        input_size: height and width in pixels.
    """

    categories = tuple(sorted(ACTIONS))
    frames = round(TEST.duration * FRAMES_PER_SECOND)
    frame_rate = float(FRAMES_PER_SECOND)
    input_size = SIZE

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Normed(3, CHANNELS, (3, 7, 7), stride=STRIDE)
        self.blocks = nn.Sequential(*[_Block(CHANNELS) for _ in range(3)])
        self.evidence = _Normed(CHANNELS, FEATURES, (3, 1, 1))
        self.spread = _spline_samples(FEATURES)
        self.head = nn.Linear(FEATURES, len(self.categories))
        nn.init.uniform_(self.head.weight, 0, 2 / FEATURES**0.5)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, 9) of clips (B, 3, T, H, W), RGB in [0, 1]."""
        return self.scores(self.spread(self.see(clips)))

    def see(self, clips: Tensor) -> Tensor:
        """Return the features (B, K, T, H / 4, W / 4) of clips, before they are spread."""
        steps = steps_of(clips)
        seen = self.blocks(F.relu(self.stem(steps / USUAL_STEP)))
        features: Tensor = F.relu(self.evidence(seen)) * moving(steps)
        return features

    def scores(self, features: Tensor) -> Tensor:
        """Return logits (B, 9) by the mean of each feature's strongest places."""
        places = features.flatten(2)
        count = max(round(STRONGEST * places.shape[2]), 1)
        logits: Tensor = self.head(places.topk(count, dim=2).values.mean(2))
        return logits

    def mean_evidence(self, features: Tensor) -> Tensor:
        """Return the mean over all places of the evidence for the classes together, ()."""
        return (features.mean((2, 3, 4)) @ self.head.weight.T).sum(1).mean()


def network() -> ActionNet:
    """Make the untrained network, for `lookhear explain --network tubes:network`."""
    return ActionNet()


def steps_of(clips: Tensor) -> Tensor:
    """What each frame differs by from the one before, (B, 3, T, H, W); the first by nothing."""
    return F.pad(torch.diff(clips, dim=2), (0, 0, 0, 0, 1, 0))


def moving(steps: Tensor) -> Tensor:
    """How much moves around each place at each time, (B, 1, T, H / 4, W / 4).

    What moves differs from the frame before and from the frame after; where it was a moment ago
    differs from but one of them.
    """
    since = steps.abs().amax(1, keepdim=True)
    until = F.pad(since[:, :, 1:], (0, 0, 0, 0, 0, 1))
    both = F.relu(torch.minimum(since, until) / USUAL_STEP - 1)
    window, centred = (1, STRIDE + 1, STRIDE + 1), (0, STRIDE // 2, STRIDE // 2)
    return F.avg_pool3d(both, window, (1, STRIDE, STRIDE), centred, count_include_pad=False)


class _Normed(nn.Sequential):
    """A convolution that keeps time, and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int, int], stride: int = 1):
        padding = size[0] // 2, size[1] // 2, size[2] // 2
        convolution = nn.Conv3d(inputs, outputs, size, (1, stride, stride), padding, bias=False)
        super().__init__(convolution, nn.BatchNorm3d(outputs))


class _Block(nn.Module):
    """A residual block of a convolution in space and one in time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_space = _Normed(channels, channels, (1, 3, 3))
        self.in_time = _Normed(channels, channels, (TIME_KERNEL, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.in_time(F.relu(self.in_space(x))))


def _spline_samples(channels: int) -> nn.Conv3d:
    """Make each channel a sum of cubic B-splines, one for each place, as high as the place was.

    Cubic splines through a peak of one place would swing below 0 beside it, and a tube's zero is
    its lowest value. Splines through samples of a sum of B-splines are that sum.
    """
    samples = torch.tensor([1.0, 4.0, 1.0]) / 6
    kernel = torch.einsum("t,h,w->thw", samples, samples, samples)
    spread = nn.Conv3d(
        channels, channels, 3, padding=1, padding_mode="replicate", groups=channels, bias=False
    )
    spread.weight = nn.Parameter(kernel.repeat(channels, 1, 1, 1, 1), requires_grad=False)
    return spread


def decoded(clips: Sequence[TaggedClip], duration: float, progress: Progress) -> Pixels:
    """Decode clips of so many seconds, (N, T, H, W, 3)."""
    count = round(duration * FRAMES_PER_SECOND)
    pictures = np.empty((len(clips), count, *SIZE, 3), np.uint8)

    def decode(index: int) -> None:
        due = 0
        for frame in open_clip(clips[index].path).frames():
            if due < count and frame.time >= due / FRAMES_PER_SECOND - 1e-3:
                pictures[index, due] = frame.rgb(SIZE)
                due += 1
        progress(1)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(decode, range(len(clips))))
    return pictures


def train(pictures: Pixels, classes: Tensor, progress: Progress) -> ActionNet:
    """Train a network with clips (N, T, H, W, 3) and their classes (N,)."""
    torch.manual_seed(0)
    net = network().to(memory_format=torch.channels_last_3d).train()
    learnt = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learnt, LEARNING_RATE)
    batches_of_all = [
        batch
        for _ in range(EPOCHS)
        for batch in torch.split(torch.randperm(len(pictures)), BATCH_SIZE)
    ]
    steps = len(batches_of_all)
    schedule = OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=0.15)
    for step, batch in enumerate(batches_of_all):
        clips = augmented(as_clips(pictures[batch.numpy()]))
        with torch.autocast("cpu", torch.bfloat16):
            seen = net.see(clips)
        features = net.spread(seen.float())
        sparsity = SPARSITY * min(max(step / steps / SPARSE_FROM - 1, 0), 1)
        mistakes = F.cross_entropy(net.scores(features), classes[batch])
        optimiser.zero_grad()
        torch.autograd.backward(mistakes + sparsity * net.mean_evidence(features))
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            net.head.weight.clamp_(min=0)
        progress(len(batch))
    return net.eval()


def as_clips(pictures: Pixels) -> Tensor:
    """Turn frames (B, T, H, W, 3) into what the network takes."""
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 255


def augmented(clips: Tensor) -> Tensor:
    """Mirror half of the clips, as no action has a side, and change how bright all are."""
    each = len(clips), 1, 1, 1, 1
    mirrored = clips.flip(-1).where(torch.rand(each) < 0.5, clips)
    return mirrored * torch.empty(each).uniform_(1 - BRIGHTNESS, 1 + BRIGHTNESS)


def in_box(truth: Truth, count: int) -> Mask:
    """Which pixels of which frames are in the box of the thing that acts, (T, H, W)."""
    (boxes,) = [thing.boxes for thing in truth.things if thing.role == "target"]
    y = (np.arange(SIZE[0])[:, np.newaxis] + 0.5) * HEIGHT / SIZE[0] - 0.5
    x = (np.arange(SIZE[1]) + 0.5) * WIDTH / SIZE[1] - 0.5
    inside = np.zeros((count, *SIZE), np.bool_)
    for index in range(count):
        # Of the first frame at or after the time, as when decoding.
        box = boxes[math.ceil(index * truth.frames_per_second / FRAMES_PER_SECOND)]
        if box is not None:
            inside[index] = (box.left <= x) & (x <= box.right) & (box.top <= y) & (y <= box.bottom)
    return inside


def measured(tube: Tube, truth: Truth) -> tuple[float, bool]:
    """The share of a tube's mass in the true box, and whether its peak is in the true segment."""
    (action,) = [segment for segment in truth.segments if segment.what == "action"]
    frames = np.stack([*tube.frames()])
    mass = float(frames.sum())
    share = float(frames[in_box(truth, len(frames))].sum()) / mass if mass > 0 else 0.0
    return share, action.start <= tube.peak() / FRAMES_PER_SECOND < action.end


def motion_of(path: Path, classifier: Classifier) -> Tube:
    """The tube of what moves in a clip, whatever it does."""
    (window,) = ClipWindows(
        open_clip(path), ActionNet.frames, Framing(SIZE), FRAMES_PER_SECOND, "dense"
    )
    inputs = classifier.inputs(torch.from_numpy(window.frames[np.newaxis]))
    return Tube(moving(steps_of(inputs))[0, 0].numpy(), Framing(SIZE))


def measure(classifier: Classifier, world: Path, tested: int, progress: Progress) -> None:
    """Explain the clips of a world, the first of them with faithfulness, and print a table."""
    right, areas, ours, motion, faithful = [], [], [], [], []
    for index, clip in enumerate(read_ave(world).clips):
        truth = read_truth(world / TRUTH / f"{clip.name}.json")
        explained = lookhear.explain(
            clip.path, classifier, labels=[clip.tag, "top-1"], faithfulness=index < tested
        )
        tube = explained.tubes[0]
        right.append(len(explained.labels) == 1)
        areas.append(in_box(truth, len(tube)).mean())
        ours.append(measured(tube, truth))
        motion.append(measured(motion_of(clip.path, classifier), truth))
        for of in explained.faithfulness[:1]:
            curves = of.deletion, of.random_deletion, of.insertion, of.random_insertion
            faithful.append([of.area(curve) for curve in curves])
        progress(1)
    (mass, peak), (bare_mass, bare_peak) = np.mean(ours, 0), np.mean(motion, 0)
    deletion, random_deletion, insertion, random_insertion = np.transpose(faithful)
    print(f"| {len(ours)} clips | tube of the right class | motion alone | wanted |")
    print("| --- | --- | --- | --- |")
    print(f"| mass in the true box | {mass:.1%} | {bare_mass:.1%} | at least 60 % |")
    print(f"| peak in the true segment | {peak:.1%} | {bare_peak:.1%} | at least 80 % |")
    print(f"\nthe box is {np.mean(areas):.1%} of the picture; {np.mean(right):.0%} named rightly\n")
    print(f"| {len(faithful)} clips | tube | moved elsewhere | tube is better |")
    print("| --- | --- | --- | --- |")
    print(
        f"| deletion | {deletion.mean():.3f} | {random_deletion.mean():.3f} "
        f"| {np.mean(deletion < random_deletion):.0%} |"
    )
    print(
        f"| insertion | {insertion.mean():.3f} | {random_insertion.mean():.3f} "
        f"| {np.mean(insertion > random_insertion):.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tested", type=int, default=30, help="clips with faithfulness")
    arguments = parser.parse_args()
    out: Path = arguments.out
    tested: int = arguments.tested
    weights = out / "network.safetensors"
    for name, world in (("learn", LEARN), ("test", TEST)):
        with bars("clips")(f"make {name}", world.clips) as progress:
            write_world(out / name, world, cores(), progress)
    if not weights.exists():
        learn = read_ave(out / "learn").clips
        with bars("clips")("decode", len(learn)) as progress:
            pictures = decoded(learn, LEARN.duration, progress)
        classes = torch.tensor([ActionNet.categories.index(clip.tag) for clip in learn])
        begun = time.monotonic()
        with bars("clips")("train", EPOCHS * len(learn)) as progress:
            net = train(pictures, classes, progress)
        minutes = (time.monotonic() - begun) / 60
        print(f"{EPOCHS} epochs of {len(learn)} clips: {minutes:.1f} min on {cores()} cores")
        contiguous = {key: value.contiguous() for key, value in net.state_dict().items()}
        save_file(contiguous, weights)
    classifier = load_classifier("tubes:network", weights)
    with bars("clips")("explain", TEST.clips) as progress:
        measure(classifier, out / "test", tested, progress)


if __name__ == "__main__":
    main()
