"""STANet+: what STA, STA+ short and STA+ cross say together (arXiv 2112.13697).

STA knows a moment, STA+ short also what is just before and after, STA+ cross also other moments of
the clip. Where one of them sees something to look at, so does STANet+: at each place, the highest
of the three counts.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from lookhear.maps import Maps, highest
from lookhear.media.spectrogram import Stft
from lookhear.nets.backbones import at_size
from lookhear.nets.kinds import Halves, WatchingNetwork
from lookhear.stanet.sta import STA, FixationNet, FrameWatcher, Seen, STAWatcher
from lookhear.stanet.sta_plus import SeenPlus, STAPlus, STAPlusWatcher
from lookhear.stanet.switch import AudioSwitch

AWAY = 16
"""Frames from a moment to others of its clip, where STA+ cross watches one: two seconds, at the
eight frames a second of prepared moments."""


class SeenByAll(NamedTuple):
    """What each of the networks keeps of N frames, and the height and width of these in pixels."""

    size: tuple[int, int]
    sta: Seen
    short: SeenPlus
    cross: SeenPlus

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen frames."""
        size, sta, *others = self
        return type(self)(size, sta.at(index), *(seen.at(index) for seen in others))


class STANetPlus(WatchingNetwork, tags=["saliency", "visual-attention"]):
    """STA, STA+ short and STA+ cross, and the switch that closes the sound gates of all.

    Args:
        sta: arguments of :class:`~lookhear.stanet.sta.STA`, without a switch.
        short, cross: arguments of :class:`~lookhear.stanet.sta_plus.STAPlus`, likewise; of
            ``cross``, ``apart`` is larger, so that no frame is in two of its moments and short's.
        switch: arguments of the :class:`~lookhear.stanet.switch.AudioSwitch`, which sees what STA
            sees; None for none. (In the release, it closes the gates of the STA+ alone.)
        published: whether each map is stretched to run from 0 to 1 first, and the maximum, too, as
            in the release. So a network that sees nothing has as much of a say as one that is sure.

    Raises:
        ValueError: an argument is out of its range, or they do not hear the same.
    """

    def __init__(
        self,
        sta: dict[str, Any],
        short: dict[str, Any],
        cross: dict[str, Any],
        switch: dict[str, Any] | None = None,
        published: bool = False,
    ) -> None:
        super().__init__()
        self.published = published
        self.sta, self.short, self.cross = STA(**sta), STAPlus(**short), STAPlus(**cross)
        self.switch = AudioSwitch(**switch) if switch is not None else None
        heard = {net.windows for net in self.members}
        if self.switch is not None:
            heard.add(self.switch.sound_encoder.windows)
        if len(heard) > 1:
            raise ValueError("sta, short, cross and switch must hear the same spectrograms")
        if self.cross.apart < self.short.apart + 3:
            raise ValueError("cross must look 3 frames farther than short at least")

    @property
    def members(self) -> tuple[FixationNet, FixationNet, FixationNet]:
        """STA, STA+ short and STA+ cross."""
        return self.sta, self.short, self.cross

    @property
    def windows(self) -> Stft | None:
        """Of the spectrogram that the networks hear; None if they are deaf."""
        return self.sta.windows

    def size_for(self, height: float, width: float) -> tuple[int, int]:
        """Choose the height and width, in pixels, at which pictures of this shape are seen."""
        return self.sta.size_for(height, width)

    def together(self, attention: Iterable[Maps], size: tuple[int, int]) -> Maps:
        """Return the highest of what the three say (..., h, w) at each place: (..., *size).

        As published, maps are enlarged first.
        """
        return highest(attention, size, stretched=self.published)

    def folded(self) -> Self:
        """See :class:`~lookhear.nets.kinds.SavedNetwork`."""
        net = type(self).__new__(type(self))
        nn.Module.__init__(net)
        net.switch, net.published = None, self.published
        for name, part in self.named_children():
            assert isinstance(part, FixationNet | AudioSwitch)
            setattr(net, name, part.folded())
        return net.train(self.training)

    def watcher(self) -> "STANetPlusWatcher":
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        return STANetPlusWatcher(self)

    def halves(self) -> Halves:
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        from lookhear.stanet.halves import stanet_plus_halves

        return stanet_plus_halves(self)


class SharedSenses:
    """The eyes and ears of STA, STA+ short and STA+ cross.

    Networks that have the same backbone share a frame's features, and likewise what they hear.

    Attributes:
        views: how large pictures are seen; the first as STA sees them.
    """

    def __init__(self, net: STANetPlus) -> None:
        self._net = net
        nets = net.members
        self._eyes = [next(of for of in nets if of is one or of.sees_as(one)) for one in nets]
        self._ears = [next(of for of in nets if of is one or of.hears_as(one)) for one in nets]
        self.views = tuple(dict.fromkeys(eye.eye for eye in self._eyes))

    def see(
        self,
        frames: Sequence[Tensor],
        spectrograms: Tensor | None = None,
        audible: Tensor | None = None,
    ) -> tuple[Seen, SeenPlus, SeenPlus]:
        """Do once per frame all that needs no other; see :meth:`lookhear.stanet.sta.STA.see`.

        Args:
            frames: as each of ``views`` has them, (N, 3, h, w), RGB in [0, 1].
            spectrograms: of the second around each, for all of them.
            audible: how far sound gates are open, for all of them.
        """
        net = self._net
        if spectrograms is not None and net.switch is not None:
            audible = net.switch.kept_open(frames[0], spectrograms, audible)
        shown = dict(zip(self.views, frames, strict=True))
        features = {eye: eye.features(shown[eye.eye]) for eye in dict.fromkeys(self._eyes)}
        sounds: dict[FixationNet, Tensor | None] = dict.fromkeys(self._ears)
        for ear in sounds:
            sounds[ear], _ = ear.hear(frames[0], spectrograms, None)
        sta, short, cross = (
            (features[eye], sounds[ear], audible)
            for eye, ear in zip(self._eyes, self._ears, strict=True)
        )
        return net.sta.head.see(*sta), net.short.head.see(*short), net.cross.head.see(*cross)


class STANetPlusWatcher(FrameWatcher[STANetPlus]):
    """STANet+ as a :class:`~lookhear.nets.watching.Watcher`.

    Its networks share what they can; see :class:`SharedSenses`.
    """

    def __init__(self, net: STANetPlus) -> None:
        super().__init__(net)
        self._sta = STAWatcher(net.sta)
        self._short, self._cross = STAPlusWatcher(net.short), STAPlusWatcher(net.cross)
        self.short_apart, self.cross_apart = net.short.apart, net.cross.apart
        self.reach = self._cross.reach
        self._senses = SharedSenses(net)

    def _seen(
        self, frames: Tensor, spectrograms: Tensor | None, audible: Tensor | None
    ) -> SeenByAll:
        size = (frames.shape[-2], frames.shape[-1])
        shown = [at_size(frames, view.size_for(*size)) for view in self._senses.views]
        return SeenByAll(size, *self._senses.see(shown, spectrograms, audible))

    def attend(self, moments: Sequence[tuple[SeenByAll, ...]]) -> Maps:
        """See :meth:`~lookhear.nets.watching.Watcher.attend`; maps are of the pictures' size."""
        return self._net.together(self.attend_each(moments), moments[0][0].size)

    def attend_each(self, moments: Sequence[tuple[SeenByAll, ...]]) -> tuple[Maps, Maps, Maps]:
        """Return what STA, STA+ short and STA+ cross say, on their own grids."""

        def around(reach: int, name: str) -> list[tuple[Any, ...]]:
            middle = slice(self.reach - reach, self.reach + reach + 1)
            return [tuple(getattr(look, name) for look in looks[middle]) for looks in moments]

        return (
            self._sta.attend(around(self._sta.reach, "sta")),
            self._short.attend(around(self._short.reach, "short")),
            self._cross.attend(around(self._cross.reach, "cross")),
        )
