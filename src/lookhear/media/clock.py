"""One clock for a file whose time stamps begin again: recordings that were joined.

Files of MPEG-TS, MPEG-PS or parts of a stream may be written one after the other as they are, each
with a clock of its own. Where the clock goes back by seconds, what follows is put after what came
before, sound and picture by the same step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

from av.packet import Packet

BACK = 1.0  # seconds; a clock that goes back by less only jitters
FOREVER = 3600.0  # seconds; one that goes on by more is a broken time stamp, or another clock
LOOKED_AHEAD = 200  # packets, in which the other stream must begin again, too


class Clock:
    """Moves the time stamps of packets so that they go on where a clock began again.

    Attributes:
        restarts: where it did, seconds on the clock of the first part.
    """

    def __init__(self) -> None:
        self.restarts: list[float] = []
        self._shifts = [Fraction(0)]  # of each part
        self._part: dict[int, int] = {}  # that each stream is in, by its index
        self._last: dict[int, Fraction] = {}  # time stamp of each stream, as it is in the file
        self._end: Fraction | None = None

    def mended(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """Give the packets of some streams, in the order of the file, with their times mended."""
        rest = iter(packets)
        ahead: deque[Packet[Any]] = deque()
        while (packet := ahead.popleft() if ahead else next(rest, None)) is not None:
            time = _time(packet)
            if time is not None:
                index = packet.stream_index
                if self._jumps(index, time):
                    if self._part[index] == len(self._shifts) - 1:
                        ahead.extend(islice(rest, LOOKED_AHEAD - len(ahead)))
                        if not self._begins_again(packet, time, ahead):
                            yield packet  # one broken time stamp
                            continue
                    self._part[index] = len(self._shifts) - 1
                self._move(packet, time)
            yield packet

    def _jumps(self, index: int, time: Fraction) -> bool:
        last = self._last.get(index)
        return last is not None and not -BACK <= time - last <= FOREVER

    def _begins_again(
        self, packet: Packet[Any], begun: Fraction, ahead: Iterable[Packet[Any]]
    ) -> bool:
        """Look whether a stream goes on from its new time; begin the next part, if so."""
        starts = {packet.stream_index: packet}
        goes_on: bool | None = None
        for other in ahead:
            time, index = _time(other), other.stream_index
            if time is None:
                continue
            if index == packet.stream_index:
                if goes_on is None:
                    goes_on = abs(time - begun) < abs(time - self._last[index])
            elif index not in starts and self._jumps(index, time):
                starts[index] = other
            elif index not in starts and index in self._part:
                self._note_end(other, self._shifts[self._part[index]])
        if not goes_on or self._end is None:
            return False
        start = min(_shown(first) * first.time_base for first in starts.values())
        self._shifts.append(self._end - start)
        self.restarts.append(float(self._end))
        return True

    def _move(self, packet: Packet[Any], time: Fraction) -> None:
        index = packet.stream_index
        self._part.setdefault(index, len(self._shifts) - 1)
        if packet.duration == 0 and index in self._last and 0 < time - self._last[index] <= BACK:
            step = time - self._last[index]
        else:
            step = Fraction(0)
        self._last[index] = time
        shift = self._shifts[self._part[index]]
        self._note_end(packet, shift, step)
        if shift:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _note_end(self, packet: Packet[Any], shift: Fraction, step: Fraction = Fraction(0)) -> None:
        end = (_shown(packet) + (packet.duration or 0)) * packet.time_base + step + shift
        self._end = end if self._end is None else max(self._end, end)


def _time(packet: Packet[Any]) -> Fraction | None:
    """Seconds by the file, of decoding, which ascend in a stream; else of presentation."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return None if stamp is None or not packet.time_base else stamp * packet.time_base


def _shown(packet: Packet[Any]) -> int:
    """The time stamp of presentation of a packet that has any."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    assert stamp is not None
    return stamp
