"""STA, STA+ and STANet+ as two functions of tensors alone: what is exported of them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lookhear.nets.kinds import Halves
from lookhear.stanet.sta import STA, Seen
from lookhear.stanet.sta_plus import SeenPlus, STAPlus
from lookhear.stanet.stanet_plus import SharedSenses, STANetPlus

Looks = dict[str, Tensor]
"""Parts of the frames around moments, by ``PART@SHIFT``; see `Halves`."""


def sta_halves(net: STA) -> Halves:
    """What is exported of STA."""
    return _halves_of_one(net, Seen._fields, _sta_looks(), reach=1)


def sta_plus_halves(net: STAPlus) -> Halves:
    """What is exported of STA+."""
    return _halves_of_one(net, _plus_parts(net), _plus_looks(net), reach=net.apart + 1)


def stanet_plus_halves(net: STANetPlus) -> Halves:
    """What is exported of STANet+: parts and looks of all three, with their names before them."""
    members = {"sta": net.sta, "short": net.short, "cross": net.cross}
    parts = (Seen._fields, _plus_parts(net.short), _plus_parts(net.cross))
    looks = (_sta_looks(), _plus_looks(net.short), _plus_looks(net.cross))
    named_parts = [f"{m}.{part}" for m, own in zip(members, parts, strict=True) for part in own]
    named_looks = [f"{m}.{look}" for m, own in zip(members, looks, strict=True) for look in own]
    see = _SeeAll(net, parts)
    return Halves(
        see=see,
        attend=_AttendAll(net, looks),
        parts=tuple(named_parts),
        looks=tuple(named_looks),
        reach=net.cross.apart + 1,
        windows=net.windows,
        eyes=see.senses.views,
        scale=(net.sta.mean, net.sta.std),
        stretched=net.published,
    )


def _halves_of_one(
    net: STA | STAPlus, parts: tuple[str, ...], looks: tuple[str, ...], reach: int
) -> Halves:
    return Halves(
        see=_See(net, parts),
        attend=_Attend(net, looks),
        parts=parts,
        looks=looks,
        reach=reach,
        windows=net.windows,
        eyes=(net.eye,),
        scale=(net.mean, net.std),
    )


def _sta_looks() -> tuple[str, ...]:
    return ("coarse@-1", *(f"{part}@0" for part in Seen._fields), "coarse@1")


def _plus_parts(net: STAPlus) -> tuple[str, ...]:
    """Finer features are none where there are none."""
    return SeenPlus._fields if net.head.refine is not None else SeenPlus._fields[:-1]


def _plus_looks(net: STAPlus) -> tuple[str, ...]:
    def node(at: int) -> Iterator[str]:
        yield f"plain@{at - 1}"
        yield from (f"{part}@{at}" for part in _plus_parts(net))
        yield f"plain@{at + 1}"

    return tuple(look for at in (-net.apart, 0, net.apart) for look in node(at))


def _attend_sta(net: STA, looks: Looks) -> Tensor:
    before, after = (
        Seen(*[looks[f"coarse@{at}"]] * len(Seen._fields))
        for at in (-1, 1)  # no more is asked for
    )
    return net.attend(before, Seen(*(looks[f"{part}@0"] for part in Seen._fields)), after)


def _attend_plus(net: STAPlus, looks: Looks) -> Tensor:
    def seen(at: int) -> SeenPlus:
        parts = {"fine": looks[f"plain@{at}"][:, :0]}  # unless there is any
        parts |= {part: looks[f"{part}@{at}"] for part in _plus_parts(net)}
        return SeenPlus(parts["plain"], parts["spatial"], parts["heard"], parts["fine"])

    one, target, other = (
        net.head.join(looks[f"plain@{at - 1}"], seen(at), looks[f"plain@{at + 1}"])
        for at in (-net.apart, 0, net.apart)
    )
    return net.attend(target, one, other)


class _See(nn.Module):
    def __init__(self, net: STA | STAPlus, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.net, self.parts = net, parts

    def forward(
        self, pictures: Tensor, spectrograms: Tensor | None = None, audible: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        seen = self.net.see(_frames(pictures), spectrograms, audible)
        return tuple(getattr(seen, part) for part in self.parts)


class _Attend(nn.Module):
    def __init__(self, net: STA | STAPlus, looks: tuple[str, ...]) -> None:
        super().__init__()
        self.net, self.looks = net, looks

    def forward(self, *looks: Tensor) -> Tensor:
        named = dict(zip(self.looks, looks, strict=True))
        net = self.net
        return _attend_sta(net, named) if isinstance(net, STA) else _attend_plus(net, named)


class _SeeAll(nn.Module):
    def __init__(self, net: STANetPlus, parts: Sequence[tuple[str, ...]]) -> None:
        super().__init__()
        self.net, self.parts = net, parts
        self.senses = SharedSenses(net)

    def forward(self, pictures: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        further = len(self.senses.views) - 1
        frames = [_frames(pictures), *(eye.permute(0, 3, 1, 2) for eye in others[:further])]
        all_seen = self.senses.see(frames, *others[further:])
        return tuple(
            getattr(seen, part)
            for seen, own in zip(all_seen, self.parts, strict=True)
            for part in own
        )


class _AttendAll(nn.Module):
    def __init__(self, net: STANetPlus, looks: Sequence[tuple[str, ...]]) -> None:
        super().__init__()
        self.net, self.looks = net, looks

    def forward(self, *looks: Tensor) -> tuple[Tensor, ...]:
        left = iter(looks)
        sta, short, cross = ({name: next(left) for name in own} for own in self.looks)
        net = self.net
        return (
            _attend_sta(net.sta, sta),
            _attend_plus(net.short, short),
            _attend_plus(net.cross, cross),
        )


def _frames(pictures: Tensor) -> Tensor:
    """Frames (N, 3, h, w), from 0 to 1, of pictures (N, h, w, 3), uint8."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32) / 255
