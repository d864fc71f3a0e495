"""Recipes for all that STANet trains: published ones, two for a small set on two cores, for tests.

`paper` follows the released scripts, `report` the reimplementation report, and the released scripts
where that is silent:

| | paper | report |
| --- | --- | --- |
| loss of S, SA | plain + fused scores | the same |
| loss of ST, sums over its three frames | 0.4 plain + fused scores | 0.4 plain + 0.6 fused |
| epochs | 15 | S: 20, others: 15 |
| SCAM by `ScamRules` | released | report |
| spectrograms | VGGSound's, 257 x 98 | 81 x 199 |

Both learn by multi-label soft margins, STA by binary cross-entropy and the KL of the whole batch,
of both its outputs for each of three frames; by SGD at 1e-4 with a decay of 5e-4, STA at 1e-3 with
1e-4; all that is neither backbone nor sound encoder at ten times the rate, biases at twice. The
rate falls to a tenth at epochs 5 and 10 for S alone. Coarse sources see 256 x 256 cut out of
300 x 300, the others 356 x 356, nothing is mirrored; maps are 356 x 356. SA's sound gates are the
report's for each stage, as the released one is not defined; STA's is the released one.

Not known, and ours in both: batches of 8, how AudioSwitch learns (at STA's rate and decay), and
that all frames of a moment have one map to learn from. The released fixations are of frames, at a
rate that is not known, and here of moments: of ten in a clip, three have any. Not as published in
either: the time gate does not mix channels and times.

What `small` and `tiny` do otherwise, and why:

| | paper | small | because |
| --- | --- | --- | --- |
| weights at first | ImageNet's, VGGSound's | see the next two | it needs no download |
| sound encoder | VGGSound's | learns the tags by ear first | none else is to be had |
| sight | knows ImageNet | begins with a first AudioSwitch's | tags alone teach it too slowly |
| backbone, strides | ResNeXt-101; 8, 16, 32 | ten layers; 4, 8, 16 | two cores; small pictures |
| SA, ST | 3 hidden convolutions | none | few clips are learnt by heart |
| SA's scores | of what the gate lets through | the sound votes, too | the gate learns too slowly |
| time gates | clean | normalised | trained from nothing, they saturate and know no time |
| sound gates | published | `matching` | one thing of several is to be heard |
| AudioSwitch | pooled features | looks for a place that matches | things are small |
| loss of sources | soft margin | cross-entropy | each clip has one tag |
| ST's loss | 0.4 plain + fused, a sum | plain + fused, the mean of frames | it learns as S and SA |
| STA's loss | three targets, KL of the batch | one target, KL of each map | no map counts more |
| STA | always hears | is deaf or sees stills at times | its gates may be closed later |
| optimizer | SGD | AdamW, one cycle | few epochs |
| crops | of one size, not mirrored | of many sizes, mirrored | few clips |
| SCAM | released rules | clean rules | clips have few moments, things are small |

`light` is `small` on EfficientNet-Lite0, which knows ImageNet: what those with clips of the real
world start from. The first AudioSwitch's backbone begins with it, the others with that one, as in
`small`. It ends after the first stage at stride 16, past which a place sees more than the whole
picture, and what it then learns is which clip it is in. That stage alone learns, at half the rate
of all else; what comes before stays as it is. The AudioSwitch keeps SA's backbone whole: it would
learn by heart which sounds are of the clips it knows, and take those of others for strange. For the
same reason sounds that do not belong count less.

And of STANet+, which the report has not:

| | paper | small | because |
| --- | --- | --- | --- |
| backbone | VGG-16, all learn | SA's, of STA+ STA's; only heads learn | few clips |
| hidden convolutions | 3 | none | few clips are learnt by heart |
| SA+'s scores | of what the gate lets through | the sounds of all three vote, too | as in SA |
| messages | by products of queries and keys | by how alike places are | even, from nothing |
| input | 256, where STA has 356 | of S+ ...: 3/4 of STA's; of STA+ as STA's | things are small |
| STA+'s map | at stride 8 | refined at stride 4 | things are small |
| STA+ | always hears | is deaf in 3 of 10 nodes | it learns to listen to other moments |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lookhear.data import Partners
from lookhear.errors import LookhearError
from lookhear.nets.backbones import DILATED, DILATED_VGG, SHALLOW
from lookhear.nets.pretrained import IMAGENET, LITE0, LITE0_EARLY, Pretrained
from lookhear.stanet import PLUS_SOURCES, Loss, PlusSource, ScamRules, Source, Stage
from lookhear.stanet.blocks import SoundGating
from lookhear.stanet.recipes.attending import STAPlusRecipe, STARecipe
from lookhear.stanet.recipes.classifying import ClassRecipe
from lookhear.stanet.recipes.hearing import HearingRecipe
from lookhear.stanet.recipes.matching import SwitchRecipe
from lookhear.stanet.sta_plus import APART
from lookhear.stanet.stanet_plus import AWAY
from lookhear.training.augment import Augmentation
from lookhear.training.initial_weights import begun_with
from lookhear.training.schedule import Schedule

OF_PRETRAINED = 0.5
"""Of the rate of all else, that at which a backbone learns that knows something already."""


@dataclass(frozen=True)
class PlusPreset:
    """The recipes of what STANet+ adds.

    Attributes:
        sources: of each of S+, SA+ and ST+, with its partners.
        sta: of STA+ short and STA+ cross.
        goes_on: whether all keep the backbone and the sound encoder of SA, or of STA, as they are;
            else every backbone begins anew.
        pretrained: with which backbones that begin anew do; None for weights of chance.
    """

    sources: dict[tuple[PlusSource, Partners], ClassRecipe]
    sta: dict[Partners, STAPlusRecipe]
    goes_on: bool
    pretrained: Pretrained | None = None


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
        rules: by which their maps become boxes and pseudo-fixations.
        pretrained: with which the first AudioSwitch's backbone begins, or every one where there is
            no such switch; None for weights of chance, and then what earlier ones have learnt.
        plus: for STANet+; None where it is not described.
    """

    hearing: HearingRecipe | None
    matching: SwitchRecipe | None
    coarse: dict[Source, ClassRecipe]
    fine: dict[Source, ClassRecipe]
    switch: SwitchRecipe
    sta: STARecipe
    grid: tuple[int, int]
    rules: ScamRules = "clean"
    pretrained: Pretrained | None = None
    plus: PlusPreset | None = None

    def sources(self, stage: Stage) -> dict[Source, ClassRecipe]:
        """The recipes of a stage's sources."""
        return self.coarse if stage == "coarse" else self.fine

    def loss(self, stage: Stage) -> Loss:
        """By which a stage's sources learn."""
        return self.sources(stage)["S"].loss


_FALLS = (5, 10)
_SGD = Schedule(
    epochs=15,
    batch_size=8,
    optimizer="sgd",
    learning_rate=1e-4,
    weight_decay=5e-4,
    average=None,
)


def _published(
    rules: ScamRules,
    sound: str,
    *,
    s_epochs: int,
    st_weights: tuple[float, float],
    plus: PlusPreset | None = None,
) -> Preset:
    """A preset by published facts; see the head of this file.

    VGGSound's encoder comes trained, on 200,000 clips, and the backbone on 940 million tagged
    pictures (Mahajan et al., ECCV 2018), then on ImageNet.
    """
    attending = replace(_SGD, learning_rate=1e-3, weight_decay=1e-4)
    cut, whole = Augmentation((300, 300), None), Augmentation((356, 356), None)
    hears = {"sound_encoder": sound}

    def sources(
        size: int, augmentation: Augmentation, gate: SoundGating
    ) -> dict[Source, ClassRecipe]:
        net = {"input_size": [size, size]}
        sa = net | hears | {"sound_gate": gate}
        falling = replace(_SGD, epochs=s_epochs, falls=_FALLS)
        return {
            "S": ClassRecipe("S", net, falling, augmentation),
            "SA": ClassRecipe("SA", sa, _SGD, augmentation),
            "ST": ClassRecipe("ST", net, _SGD, augmentation, weights=st_weights, sums_frames=True),
        }

    return Preset(
        hearing=None,
        matching=None,
        coarse=sources(256, cut, "report"),
        fine=sources(356, whole, "report-fine"),
        switch=SwitchRecipe(hears, attending, cut),
        sta=STARecipe(
            hears, attending, whole, loss={"bce": 1.0, "batch kl": 1.0}, every_frame=True
        ),
        grid=(356, 356),
        rules=rules,
        pretrained="resnext101_32x8d.fb_wsl_ig1b_ft_in1k",
        plus=plus,
    )


def _published_plus() -> PlusPreset:
    """The released STANet+, for `paper`."""
    cut = Augmentation((300, 300), None)
    rates: dict[PlusSource, float] = {"S+": 1e-3, "SA+": 1e-5, "ST+": 1e-5}
    sources = {
        (source, partners): ClassRecipe(
            source,
            {},
            replace(_SGD, learning_rate=rates[source], falls=_FALLS if source == "SA+" else ()),
            cut,
            weights=(0.4, 1.0),
            sums_frames=True,
            partners=partners,
        )
        for source, partners in PLUS_SOURCES
    }
    attending = replace(_SGD, learning_rate=1e-3, weight_decay=1e-4)
    loss = {"bce": 1.0, "batch kl": 1.0}
    sta: dict[Partners, STAPlusRecipe] = {
        "short": STAPlusRecipe({}, attending, cut, loss, partners="short"),
        "cross": STAPlusRecipe({"apart": AWAY}, attending, cut, loss, partners="cross"),
    }
    return PlusPreset(sources, sta, goes_on=False, pretrained="vgg16.tv_in1k")


# Stride 16, at which small things are not lost. Hidden convolutions would learn the surroundings
# of a few hundred clips by heart.
_AT_STRIDE_16 = {"stride": 16, "hidden": 0}
_IN_TIME = {"time_mixing": "normalised"}
_SENSES = ("backbone", "sound_encoder")
_HEARS = {"sound_encoder": "light", "sound_gate": "matching"}
_GATES: dict[Source, dict[str, Any]] = {
    "S": {},
    "SA": _AT_STRIDE_16 | _HEARS | {"sound_votes": True},
    "ST": _AT_STRIDE_16 | _IN_TIME,
}


def _light(
    sight: Mapping[str, Any],
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
    plus: int,
    sta_plus: int,
    pretrained: Pretrained | None = None,
) -> Preset:
    """A preset for small pictures and few clips, of networks that begin at each other's weights.

    ``sight`` is the backbone; the first begins with ``pretrained`` weights, if there are any.
    ``frame`` is the height and width of what all see but the fine sources, which see a ``crop``,
    and S+, SA+ and ST+, which see three quarters of it each way, as the paper's do; then come the
    epochs of each training, of sources those of S, SA and ST.
    """

    def of_hearing(epochs: int, rate: float = 2e-3) -> Schedule:
        return Schedule(epochs, batch_size, learning_rate=rate, average=None)

    def schedule(epochs: int, rate: float = 2e-3) -> Schedule:
        own = of_hearing(epochs, rate)
        if pretrained is None:
            return own
        return replace(own, backbone_rate=rate * OF_PRETRAINED, frozen=_TO_STRIDE_8)

    def net(size: tuple[int, int]) -> dict[str, Any]:
        return {**sight, "input_size": list(size)}

    def augmentation(size: tuple[int, int]) -> Augmentation:
        # Hue is left alone: it tells much where pictures are few.
        return Augmentation(size, smallest_crop=0.7, jitter=(0.3, 0.3, 0.2, 0.0), sound_noise=0.1)

    def matched(schedule: Schedule, others: float = 2 / 3) -> SwitchRecipe:
        arguments = net(frame) | {"stride": 16, "sound_encoder": "light"}
        return SwitchRecipe(arguments, schedule, augmentation(frame), matches=True, others=others)

    def switched() -> SwitchRecipe:
        own = schedule(switch)
        if pretrained is None:
            return matched(own)
        return matched(replace(own, frozen=_SENSES[:1]), others=1 / 3)

    def sources(size: tuple[int, int], epochs: tuple[int, int, int]) -> dict[Source, ClassRecipe]:
        return {
            source: ClassRecipe(
                source, net(size) | gate, schedule(count), augmentation(size), loss="cross-entropy"
            )
            for (source, gate), count in zip(_GATES.items(), epochs, strict=True)
        }

    at_first = 4e-3  # what begins at trained weights needs but half the rate
    return Preset(
        hearing=HearingRecipe("light", of_hearing(hearing, at_first), augmentation(frame)),
        matching=matched(schedule(matching, at_first)),
        coarse=sources(frame, coarse),
        fine=sources(crop, fine),
        switch=switched(),
        sta=STARecipe(
            net(frame) | {"strides": [4, 8, 16], **_HEARS, **_IN_TIME, "keep_aspect": True},
            schedule(sta),
            augmentation(frame),
            deaf=0.05,
            still=0.5,
        ),
        grid=(frame[0] // 2, frame[1] // 2),
        pretrained=pretrained,
        plus=_light_plus(net, augmentation, schedule(plus), schedule(sta_plus), frame),
    )


def _light_plus(
    net: Callable[[tuple[int, int]], dict[str, Any]],
    augmentation: Callable[[tuple[int, int]], Augmentation],
    naming: Schedule,
    attending: Schedule,
    frame: tuple[int, int],
) -> PlusPreset:
    """What STANet+ adds to a preset for small pictures; only the heads of its networks learn."""
    size = frame[0] * 3 // 4, frame[1] * 3 // 4
    dilated = {"backbone": net(size)["backbone"] + DILATED, "hidden": 0, "attending": "alike"}
    own: dict[PlusSource, dict[str, Any]] = {
        "S+": {},
        "SA+": _HEARS | {"sound_votes": True},
        "ST+": _IN_TIME,
    }
    sources = {
        (source, partners): ClassRecipe(
            source,
            net(size) | dilated | own[source],
            replace(naming, frozen=_SENSES if source == "SA+" else _SENSES[:1]),
            augmentation(size),
            loss="cross-entropy",
            partners=partners,
        )
        for source, partners in PLUS_SOURCES
    }
    watching = net(frame) | dilated | _HEARS | _IN_TIME | {"keep_aspect": True, "fine_stride": 4}
    apart: dict[Partners, int] = {"short": APART, "cross": AWAY}
    sta = {
        partners: STAPlusRecipe(
            watching | {"apart": frames},
            replace(attending, frozen=_SENSES),
            augmentation(frame),
            deaf=0.3,
            partners=partners,
        )
        for partners, frames in apart.items()
    }
    return PlusPreset(sources, sta, goes_on=True)


_SHALLOW_LITE0 = LITE0 | {"backbone": LITE0["backbone"] + SHALLOW}
_TO_STRIDE_8 = (*LITE0_EARLY, "backbone.blocks.2")


def _ten_layers(channels: list[int], stem_width: int) -> dict[str, Any]:
    args = {"channels": channels, "stem_width": stem_width}
    return {"backbone": "resnet10t", "backbone_args": args}


_TWO_CORES: dict[str, Any] = {
    "frame": (128, 224),
    "crop": (112, 112),
    "batch_size": 32,
    "hearing": 4,
    "matching": 9,
    "coarse": (2, 5, 1),
    "fine": (3, 3, 1),
    "switch": 5,
    "sta": 6,
    "plus": 1,
    "sta_plus": 2,
}

PRESETS: dict[str, Preset] = {
    "paper": _published(
        "released", "vggsound", s_epochs=15, st_weights=(0.4, 1.0), plus=_published_plus()
    ),
    "report": _published("report", "vggsound-report", s_epochs=20, st_weights=(0.4, 0.6)),
    "small": _light(_ten_layers([24, 48, 96, 160], stem_width=16), **_TWO_CORES),
    "light": _light(_SHALLOW_LITE0, **_TWO_CORES | {"switch": 2}, pretrained=IMAGENET),
    "tiny": _light(
        _ten_layers([8, 8, 16, 16], stem_width=4),
        frame=(64, 96),
        crop=(64, 64),
        batch_size=4,
        hearing=2,
        matching=1,
        coarse=(2, 1, 1),
        fine=(1, 1, 1),
        switch=1,
        sta=2,
        plus=1,
        sta_plus=1,
    ),
}


def all_begun_with(preset: Preset, weights: Pretrained | None) -> Preset:
    """Change with what all backbones begin; see `lookhear.training.initial_weights.begun_with`."""
    if weights == preset.pretrained:
        return preset

    dilated = {"backbone": DILATED_VGG}  # unless a recipe says otherwise
    plus = preset.plus and replace(
        preset.plus,
        sources={
            of: begun_with(replace(recipe, net=dilated | recipe.net), weights)
            for of, recipe in preset.plus.sources.items()
        },
        sta={
            of: begun_with(replace(recipe, net=dilated | recipe.net), weights)
            for of, recipe in preset.plus.sta.items()
        },
        pretrained=weights,
    )
    return replace(
        preset,
        matching=preset.matching and begun_with(preset.matching, weights),
        coarse={of: begun_with(recipe, weights) for of, recipe in preset.coarse.items()},
        fine={of: begun_with(recipe, weights) for of, recipe in preset.fine.items()},
        switch=begun_with(preset.switch, weights),
        sta=begun_with(preset.sta, weights),
        pretrained=weights,
        plus=plus,
    )


def plus_of(preset: Preset, name: str) -> PlusPreset:
    """What STANet+ adds to a preset, which has this name.

    Raises:
        LookhearError: it has no STANet+.
    """
    if preset.plus is None:
        raise LookhearError(f"--preset {name}: its publication has no STANet+; take another")
    return preset.plus
