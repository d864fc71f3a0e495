"""Recipes for all that STANet trains: of the paper, for a small set on two cores, and for tests.

What `small` and `tiny` do otherwise than the paper, and why:

| | paper | small | because |
| --- | --- | --- | --- |
| weights at first | ImageNet's, VGGSound's | see the next two | it needs no download |
| sound encoder | VGGSound's | learns the tags by ear first | none else is to be had |
| sight | knows ImageNet | begins with a first AudioSwitch's | tags alone teach it too slowly |
| backbone, strides | ResNeXt-101; 8, 16, 32 | ten layers; 4, 8, 16 | two cores; small pictures |
| SA, ST | 3 hidden convolutions | none | few clips are learnt by heart |
| SA's scores | of what the gate lets through | the sound votes, too | the gate learns too slowly |
| time gates | published | normalised | trained from nothing, they saturate and know no time |
| sound gates | released | `matching` | one thing of several is to be heard |
| AudioSwitch | pooled features | looks for a place that matches | things are small |
| loss of sources | soft margin | cross-entropy (the report's) | each clip has one tag |
| STA | always hears | is deaf or sees stills at times | its gates may be closed later |

The paper's 256 x 256 crops are cut here at random sizes from 256 to 300 of 300, and mirrored.
"""

from dataclasses import dataclass
from typing import Any

from lookhear.stanet import Loss, Source, Stage
from lookhear.stanet.recipes.attending import STARecipe
from lookhear.stanet.recipes.classifying import ClassRecipe
from lookhear.stanet.recipes.hearing import HearingRecipe
from lookhear.stanet.recipes.matching import SwitchRecipe
from lookhear.training.augment import Augmentation
from lookhear.training.schedule import Schedule


@dataclass(frozen=True)
class Preset:
    """The recipes of a whole run.

    Attributes:
        hearing: for the sound encoder; None where one that is trained already is to be given.
        matching: for a first AudioSwitch, whose sight the coarse sources begin with; None where
            they begin with pretrained weights or each other's.
        coarse: for the sources that see whole frames.
        fine: for those that see crops.
        switch: for AudioSwitch.
        sta: for STA.
        grid: height and width of the maps that the sources make.
        pretrained: weights that timm knows, with which every backbone begins; None for a run in
            which each begins with what an earlier one has learnt.
    """

    hearing: HearingRecipe | None
    matching: SwitchRecipe | None
    coarse: dict[Source, ClassRecipe]
    fine: dict[Source, ClassRecipe]
    switch: SwitchRecipe
    sta: STARecipe
    grid: tuple[int, int]
    pretrained: str | None = None

    def sources(self, stage: Stage) -> dict[Source, ClassRecipe]:
        """The recipes of a stage's sources."""
        return self.coarse if stage == "coarse" else self.fine

    def loss(self, stage: Stage) -> Loss:
        """By which a stage's sources learn."""
        return self.sources(stage)["S"].loss


def _paper() -> Preset:
    # VGGSound's encoder comes trained, on 200,000 clips, and the backbone on 940 million tagged
    # pictures (Mahajan et al., ECCV 2018), then on ImageNet. Weight decay, rates and their decay
    # are the paper's.
    schedule = Schedule(
        epochs=15,
        batch_size=8,
        optimizer="sgd",
        learning_rate=1e-3,
        weight_decay=1e-4,
        average=None,
    )
    whole, crop = Augmentation((300, 300), 256 / 300), Augmentation((356, 356), 1.0)

    def sources(size: int, augmentation: Augmentation) -> dict[Source, ClassRecipe]:
        net = {"input_size": [size, size]}
        return {
            "S": ClassRecipe("S", net, schedule, augmentation),
            "SA": ClassRecipe("SA", net, schedule, augmentation),
            "ST": ClassRecipe("ST", net, schedule, augmentation, weights=(0.4, 0.6)),
        }

    return Preset(
        hearing=None,
        matching=None,
        coarse=sources(256, whole),
        fine=sources(356, crop),
        switch=SwitchRecipe({}, schedule, whole),
        sta=STARecipe({}, schedule, crop),
        grid=(178, 178),
        pretrained="resnext101_32x8d.fb_wsl_ig1b_ft_in1k",
    )


# Stride 16, at which small things are not lost. Hidden convolutions would learn the surroundings
# of a few hundred clips by heart.
_SHALLOW = {"stride": 16, "hidden": 0}
_IN_TIME = {"time_mixing": "normalised"}
_GATES: dict[Source, dict[str, Any]] = {
    "S": {},
    "SA": _SHALLOW | {"sound_encoder": "light", "sound_gate": "matching", "sound_votes": True},
    "ST": _SHALLOW | _IN_TIME,
}


def _light(
    backbone_args: dict[str, Any],
    frame: tuple[int, int],
    crop: tuple[int, int],
    batch_size: int,
    *,
    hearing: int,
    matching: int,
    coarse: tuple[int, int, int],
    fine: tuple[int, int, int],
    switch: int,
    sta: int,
) -> Preset:
    """A preset for small pictures and few clips, of networks that begin at each other's weights.

    The backbone is a ResNet of ten layers. ``frame`` is the height and width of what all see but
    the fine sources, which see a ``crop``; then come the epochs of each training, of sources those
    of S, SA and ST.
    """

    def schedule(epochs: int, rate: float = 2e-3) -> Schedule:
        return Schedule(epochs, batch_size, learning_rate=rate, average=None)

    def net(size: tuple[int, int]) -> dict[str, Any]:
        return {
            "backbone": "resnet10t",
            "backbone_args": backbone_args,
            "input_size": list(size),
        }

    def augmentation(size: tuple[int, int]) -> Augmentation:
        # Hue is left alone: it tells much where pictures are few.
        return Augmentation(size, smallest_crop=0.7, jitter=(0.3, 0.3, 0.2, 0.0), sound_noise=0.1)

    def matched(schedule: Schedule) -> SwitchRecipe:
        arguments = net(frame) | {"stride": 16, "sound_encoder": "light"}
        return SwitchRecipe(arguments, schedule, augmentation(frame), matches=True, others=2 / 3)

    def sources(size: tuple[int, int], epochs: tuple[int, int, int]) -> dict[Source, ClassRecipe]:
        return {
            source: ClassRecipe(
                source, net(size) | gate, schedule(count), augmentation(size), loss="cross-entropy"
            )
            for (source, gate), count in zip(_GATES.items(), epochs, strict=True)
        }

    at_first = 4e-3  # what begins at trained weights needs but half the rate
    hears = {"sound_encoder": "light", "sound_gate": "matching"}
    return Preset(
        hearing=HearingRecipe("light", schedule(hearing, at_first), augmentation(frame)),
        matching=matched(schedule(matching, at_first)),
        coarse=sources(frame, coarse),
        fine=sources(crop, fine),
        switch=matched(schedule(switch)),
        sta=STARecipe(
            net(frame) | {"strides": [4, 8, 16], **hears, **_IN_TIME, "keep_aspect": True},
            schedule(sta),
            augmentation(frame),
            deaf=0.05,
            still=0.5,
        ),
        grid=(frame[0] // 2, frame[1] // 2),
    )


PRESETS: dict[str, Preset] = {
    "paper": _paper(),
    "small": _light(
        {"channels": [24, 48, 96, 160], "stem_width": 16},
        frame=(128, 224),
        crop=(112, 112),
        batch_size=32,
        hearing=4,
        matching=9,
        coarse=(2, 5, 1),
        fine=(3, 3, 1),
        switch=5,
        sta=6,
    ),
    "tiny": _light(
        {"channels": [8, 8, 16, 16], "stem_width": 4},
        frame=(64, 96),
        crop=(64, 64),
        batch_size=4,
        hearing=2,
        matching=1,
        coarse=(2, 1, 1),
        fine=(1, 1, 1),
        switch=1,
        sta=2,
    ),
}
