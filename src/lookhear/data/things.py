"""Things that can be seen and heard: each has a look, a way to move and a voice.

Beats drive motion and voice alike, so that what is heard is what is seen to happen. Colours are
RGB, 0 to 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookhear.data.world.canvas import Canvas, Floats, Pose, Sprite
from lookhear.data.world.synthesis import SAMPLE_RATE

FADE_SECONDS = 0.25  # at a turn's end, in which its thing comes to rest
STRIKE_SECONDS, BOUNCE_SECONDS, BUZZ_SECONDS = 0.9, 0.62, 0.75


@dataclass(frozen=True)
class Beats:
    """What drives a thing's motion and its voice alike in one turn.

    Attributes:
        starts: (N,), seconds since the turn began, the first of them 0.
        duration: seconds of the turn.
    """

    starts: Floats
    duration: float

    def envelope(self, time: ArrayLike, attack: float, decay: float) -> Floats:
        """Strength of what starts anew on each beat: 0 to 1, 0 at the turn's end and after."""
        since = self.since(time)
        return (1 - np.exp(-since / attack)) * np.exp(-since / decay) * self.fade(time)

    def since(self, time: ArrayLike) -> Floats:
        """Seconds since the last beat."""
        now = np.asarray(time, np.float64)
        last = np.searchsorted(self.starts, now, side="right") - 1
        return np.asarray(now - self.starts[last], np.float64)

    def fade(self, time: ArrayLike) -> Floats:
        """1, falling smoothly to 0 at the turn's end."""
        left = ((self.duration - np.asarray(time, np.float64)) / FADE_SECONDS).clip(0, 1)
        return np.asarray(left * left * (3 - 2 * left), np.float64)


@dataclass(frozen=True)
class Thing:
    """What can be seen, moves and sounds.

    Attributes:
        look: paints it on a canvas, at rest or sounding.
        reach: left, top, right, bottom of the canvas, in radii.
        radius: pixels.
        height: of its centre at rest, pixels from the picture's top.
        foot: how far the table is below its centre, in radii; None for what hangs.
        rhythm: starts of the beats in a turn of so many seconds.
        motion: its pose at a time of a turn.
        voice: (N,) samples, about -1 to 1, at (N,) times of a turn.
    """

    look: Callable[[Canvas, bool], None]
    reach: tuple[float, float, float, float]
    radius: float
    height: float
    foot: float | None
    rhythm: Callable[[float], Floats]
    motion: Callable[[Beats, float], Pose]
    voice: Callable[[Beats, Floats, np.random.Generator], Floats]

    def sprite(self, sounding: bool) -> Sprite:
        """Paint it."""
        canvas = Canvas(self.radius, self.reach)
        self.look(canvas, sounding)
        return canvas.sprite()


def _bell_look(canvas: Canvas, sounding: bool) -> None:
    x, y = canvas.x, canvas.y
    canvas.paint(canvas.stroke(0, -6, 0, -0.95, 0.035), (0.33, 0.24, 0.18))
    ring = np.abs(canvas.disc(0, -0.9, 0.13)) - 0.045
    canvas.paint(ring, (0.62, 0.43, 0.16))
    heights = (-0.84, -0.78, -0.66, -0.45, -0.1, 0.2, 0.45, 0.62, 0.75)
    edge = np.interp(y, heights, (0.1, 0.24, 0.36, 0.43, 0.5, 0.58, 0.69, 0.82, 0.92))
    half = cv2.GaussianBlur(edge, (1, 0), sigmaX=0.1, sigmaY=0.04 * canvas.scale)
    across = (x / half).clip(-1, 1)
    places = (-1, -0.8, -0.42, -0.3, -0.1, 0.35, 0.7, 0.88, 1)
    shades = (0.25, 0.55, 1.0, 1.15, 0.92, 0.6, 0.36, 0.52, 0.3)
    shade = np.interp(across, places, shades) * (1.04 - 0.16 * y)
    for groove in (-0.5, 0.4, 0.52):
        shade *= 1 - 0.32 * np.exp(-(((y - groove) / 0.016) ** 2))
    gold = np.stack([shade * 0.97, shade**1.25 * 0.72, shade**1.7 * 0.27], axis=-1)
    gold += (shade[..., np.newaxis] - 0.95).clip(0) * 2.2
    canvas.paint(np.maximum(np.abs(x) - half, np.maximum(-0.84 - y, y - 0.75)), gold.clip(0, 1))
    canvas.paint(canvas.disc(0, 0.75, 0.92, 0.15), (0.74, 0.54, 0.2))
    canvas.paint(canvas.disc(0, 0.765, 0.85, 0.115), (0.16, 0.09, 0.05))
    light, shine = canvas.round_light(0, 0.85, 0.15, 0.15)
    iron = (0.2 + 0.3 * light + shine)[..., np.newaxis] * (1, 0.9, 0.8)
    canvas.paint(canvas.disc(0, 0.85, 0.15), iron.clip(0, 1))
    if sounding:
        dx, dy = x + 0.17, y + 0.25
        star = np.exp(-np.abs(dx * dy) * 160 - np.hypot(dx, dy) * 4.2)
        glow = 0.55 * np.exp(-(dx * dx + dy * dy) * 5)
        canvas.rgba[...] = _lighten(canvas.rgba, (star + glow).clip(0, 1), (1, 0.96, 0.8))


def _ball_look(canvas: Canvas, sounding: bool) -> None:
    x, y = canvas.x, canvas.y
    light, shine = canvas.round_light(0, 0, 1, 1)
    z = np.sqrt((1 - x * x - y * y).clip(0))
    pole = 0.45 * x - 0.7 * y + 0.55 * z
    right, front = 0.84 * x + 0.54 * y, -0.3 * x + 0.46 * y + 0.83 * z
    segment = (np.sin(3 * np.arctan2(right, front)) * canvas.scale / 5).clip(-0.5, 0.5) + 0.5
    cap = ((pole - 0.93) * canvas.scale).clip(0, 1)
    cream = np.maximum(segment, cap)[..., np.newaxis]
    colour = cream * (0.98, 0.93, 0.82) + (1 - cream) * (0.9, 0.27, 0.2)
    bounced = 0.16 * (0.6 * y + 0.3 * x).clip(0)[..., np.newaxis] * (1, 0.62, 0.36)
    lit = colour * (0.34 + 0.72 * light[..., np.newaxis]) + bounced
    lit = lit * (1.12 if sounding else 1.0) + 0.75 * shine[..., np.newaxis]
    canvas.paint(canvas.disc(0, 0, 1), lit.clip(0, 1))


def _beetle_look(canvas: Canvas, sounding: bool) -> None:
    dark = (0.1, 0.09, 0.13)
    for hip, knee, toe in ((-0.5, -0.85, -0.78), (0.0, -0.12, 0.02), (0.5, 0.72, 0.8)):
        canvas.paint(canvas.stroke(hip, 0.35, knee, 0.42, 0.06), dark)
        canvas.paint(canvas.stroke(knee, 0.42, toe, 0.76, 0.045), dark)
    for tip in ((1.3, -0.55), (1.48, -0.3)):
        canvas.paint(canvas.stroke(1.02, 0.0, *tip, 0.03), dark)
        canvas.paint(canvas.disc(*tip, 0.075), dark)
    if sounding:
        for tilt, x, y in ((0.95, -0.55, -0.95), (0.45, -0.85, -0.6)):
            wing = canvas.disc(x, y, 0.85, 0.27, tilt)
            canvas.paint(wing, (0.93, 0.97, 1.0), 0.75)
            canvas.paint(np.abs(wing) - 0.012, (0.55, 0.63, 0.72), 0.7)
    light, shine = canvas.round_light(0.92, 0.17, 0.34, 0.32)
    head = (0.13 + 0.3 * light + 0.5 * shine)[..., np.newaxis] * (0.8, 0.75, 1)
    canvas.paint(canvas.disc(0.92, 0.17, 0.34, 0.32), head.clip(0, 1))
    canvas.paint(canvas.disc(1.04, 0.08, 0.1), (0.96, 0.95, 0.88))
    canvas.paint(canvas.disc(1.07, 0.08, 0.05), dark)
    canvas.paint(canvas.disc(0, 0.38, 0.86, 0.16), dark)
    light, shine = canvas.round_light(0, 0.3, 1.0, 0.95)
    shell = (0.22 + 0.85 * light)[..., np.newaxis] * (0.07, 0.62, 0.47)
    shell += (1 - light[..., np.newaxis]) ** 2 * (0.16, 0.06, 0.3)
    body = np.maximum(canvas.disc(0, 0.3, 0.92, 0.88), canvas.y - 0.42)
    canvas.paint(body, (shell + 0.85 * shine[..., np.newaxis]).clip(0, 1))
    for x, y, size in ((-0.5, 0.12, 0.13), (-0.08, -0.2, 0.15), (0.05, 0.2, 0.12), (0.42, 0, 0.12)):
        canvas.paint(canvas.disc(x, y, size), (0.03, 0.2, 0.2), 0.75)


def _lighten(rgba: NDArray[np.float32], amount: Floats, colour: ArrayLike) -> NDArray[np.float32]:
    light = amount[..., np.newaxis] * np.append(colour, 1.0)
    return np.asarray(1 - (1 - rgba) * (1 - light), np.float32)


def _swing(beats: Beats, time: float) -> Pose:
    """Hang from far above, pushed by each beat."""
    since = time - beats.starts[beats.starts <= time]
    pushes = 0.2 * np.exp(-since / 0.9) * np.sin(2 * np.pi * since / STRIKE_SECONDS)
    angle = -float(pushes.sum() * beats.fade(time))
    rope = 150  # pixels
    effort = float(beats.envelope(time, 0.01, 0.3))
    return Pose(-rope * np.sin(angle), rope * (np.cos(angle) - 1), angle, effort=effort)


def _bounce(beats: Beats, time: float) -> Pose:
    """Fly from beat to beat, squashed on landing; wander off and back."""
    since = float(beats.since(time))
    later = beats.starts[beats.starts > time]
    if not later.size:
        return Pose()
    gap = float(later[0] - time) + since
    rise = 120 * (gap / BOUNCE_SECONDS) ** 2 * 4 * (since / gap) * (1 - since / gap)
    squash = gap / BOUNCE_SECONDS * math.exp(-rise / 9)
    wander = 46 * math.sin(2 * math.pi * time / float(beats.starts[-1]))
    return Pose(wander, 4 * squash - rise, stretch=1 - 0.12 * squash, effort=squash)


def _hover(beats: Beats, time: float) -> Pose:
    """Rise a little with each beat, trembling."""
    effort = float(beats.envelope(time, 0.09, 0.9))
    x = effort * (3.5 * np.sin(2 * np.pi * 9.1 * time) + 9 * np.sin(2 * np.pi * 0.9 * time))
    y = effort * (3 * np.sin(2 * np.pi * 7.3 * time) - 36)
    angle = effort * (0.07 * np.sin(2 * np.pi * 8.2 * time) - 0.16)
    flutter = 0.72 + 0.28 * np.sin(2 * np.pi * 11.7 * time)
    return Pose(x, y, angle, effort=min(1.4 * effort, 1.0) * flutter)


def _strikes(duration: float) -> Floats:
    return np.arange(0, max(duration - 0.6, 0.1), STRIKE_SECONDS)


def _bounces(duration: float) -> Floats:
    """Even, and at the end ever faster, as a ball comes to rest."""
    starts, gap = [0.0], BOUNCE_SECONDS
    while starts[-1] + gap < duration - FADE_SECONDS and gap > 0.1:
        starts.append(starts[-1] + gap)
        gap *= 0.72 if duration - starts[-1] < 1.6 else 1
    return np.array(starts)


def _buzzes(duration: float) -> Floats:
    return np.arange(0, max(duration - 0.3, 0.1), BUZZ_SECONDS)


def _ring(beats: Beats, time: Floats, _: np.random.Generator) -> Floats:
    """Partials of a bell with a minor third, each dying away at its own pace."""
    tones = (
        (0.5, 0.2, 1.4),
        (1.0, 0.4, 1.0),
        (1.19, 0.25, 0.8),
        (1.5, 0.12, 0.6),
        (2.0, 0.25, 0.5),
        (2.74, 0.12, 0.3),
        (4.07, 0.08, 0.15),
    )
    since = beats.since(time)
    return sum(
        (
            loud * np.sin(2 * np.pi * 587 * ratio * since) * beats.envelope(time, 0.001, decay)
            for ratio, loud, decay in tones
        ),
        np.zeros(len(time)),
    )


def _thump(beats: Beats, time: Floats, rng: np.random.Generator) -> Floats:
    """A falling tone and a knock."""
    since = beats.since(time)
    tone = np.sin(2 * np.pi * (85 * since - 4.5 * np.exp(-since / 0.03)))
    knock = np.convolve(rng.standard_normal(len(time)), np.ones(12) / 12, "same")
    tone *= beats.envelope(time, 0.002, 0.13)
    knock *= beats.envelope(time, 0.001, 0.012)
    return np.asarray(0.85 * tone + knock, np.float64)


def _buzz(beats: Beats, time: Floats, rng: np.random.Generator) -> Floats:
    """A rough harmonic tone whose pitch trembles with the wings."""
    loud = beats.envelope(time, 0.09, 0.9)
    pitch = 150 + 30 * loud + 4 * np.sin(2 * np.pi * 9.1 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum((np.sin(k * phase) / k**0.8 for k in range(1, 13)), np.zeros(len(time)))
    rough = 1 + 0.15 * rng.standard_normal(len(time))
    return 0.34 * loud * tone * rough


BELL = Thing(_bell_look, (-1.2, -6.0, 1.2, 1.2), 42, 128, None, _strikes, _swing, _ring)
BALL = Thing(_ball_look, (-1.1, -1.1, 1.1, 1.1), 31, 270, 1.0, _bounces, _bounce, _thump)
BEETLE = Thing(_beetle_look, (-1.7, -1.9, 1.7, 1.0), 29, 288, 0.78, _buzzes, _hover, _buzz)
