"""One HTML page about what is seen and heard in a clip, where and when."""

from collections.abc import Sequence
from typing import get_args

from markupsafe import Markup

from lookhear import __version__
from lookhear.events.finding import Events, Modality
from lookhear.events.net import EventNet
from lookhear.events.plots import timeline_plot
from lookhear.media import Clip
from lookhear.show import heat, page
from lookhear.show.heat import Pixels
from lookhear.words import count, place_name, time_label

MOST_FINDINGS = 3
STILL_WIDTH = 480  # pixels
NEAREST = 3  # tags that are named where none is found
SENSES = {
    "both": "sight and sound, added up",
    "sight": "sight alone",
    "sound": "sound alone",
}


def render(
    clip: Clip,
    events: Events,
    net: EventNet,
    *,
    model: str,
    stills: Sequence[tuple[str, float, Pixels]],
    overlay: str | None,
    poster: Pixels,
    command: str,
) -> str:
    """The HTML text of the page.

    Args:
        clip: the clip.
        events: what is found in it.
        net: the network that found it.
        model: its name.
        stills: tag, seconds and frame, (H, W, 3) uint8 RGB, of where each tag is seen best.
        overlay: the name of the film or picture beside the page, if there is one.
        poster: what the film shows until it is played, (H, W, 3) uint8 RGB.
        command: by which all this was made; empty for none.
    """
    nearest = sorted(events.scores.items(), key=lambda of: -of[1])[:NEAREST]
    return page.render(
        "events",
        title=clip.path.name,
        facts=[
            time_label(events.seconds).removesuffix(".0"),
            f"{clip.width} x {clip.height}",
            "with sound" if clip.has_sound else "without sound",
            count(len(events.tags), "tag") + " found",
        ],
        problems=events.problems,
        findings=[
            (tag.name, f"scores {tag.score:.2f}; {_times(events, tag.name)}")
            for tag in events.tags[:MOST_FINDINGS]
        ],
        nearest=[f"{name} ({score:.2f})" for name, score in nearest],
        threshold=f"{events.threshold:.2f}",
        overlay=overlay,
        poster=page.picture(poster),
        stills=[
            (tag, time, page.picture(heat.thumbnail(still, min(still.shape[1], STILL_WIDTH))))
            for tag, time, still in stills
        ],
        timeline=timeline_plot(events) if events.tags else None,
        rows=[(tag, *_row(events, tag.name)) for tag in events.tags],
        categories=net.categories,
        choices=_choices(net, model),
        deaf=net.hears and not clip.has_sound,
        command=command,
    )


def _times(events: Events, tag: str) -> str:
    said = {modality: _spans(events, tag, modality) for modality in get_args(Modality)}
    return "; ".join(f"{modality} {times}" for modality, times in said.items() if times)


def _row(events: Events, tag: str) -> tuple[str, str, str]:
    """When a tag is seen, where most clearly, and when it is heard."""
    seen = [span for span in events.spans if span.tag == tag and span.box is not None]
    place = "-"
    if seen:
        box = max(seen, key=lambda span: span.score).box
        assert box is not None
        place = place_name((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    return _spans(events, tag, "seen") or "-", place, _spans(events, tag, "heard") or "-"


def _spans(events: Events, tag: str, modality: Modality) -> str:
    """The times of a tag, joined where they touch; the first three."""
    joined: list[list[float]] = []
    for span in events.spans:
        if (span.tag, span.modality) == (tag, modality):
            if joined and span.start <= joined[-1][1] + 1e-6:
                joined[-1][1] = max(joined[-1][1], span.end)
            else:
                joined.append([span.start, span.end])
    said = [f"{time_label(start)} to {time_label(end)}" for start, end in joined[:3]]
    more = [f"{len(joined) - 3} more"] if len(joined) > 3 else []
    return ", ".join(said + more)


def _choices(net: EventNet, model: str) -> list[tuple[str, object]]:
    code = Markup("<code>{}</code>")
    return [
        ("network", code.format(model)),
        ("judges by", SENSES[net.senses]),
        (
            "proposals",
            f"up to {net.boxes} boxes in a frame a second, and windows of 0.96 s of sound",
        ),
        ("pooled by", net.pooling),
        ("judged at once", f"{count(net.stretch, 'second')}, as long as the clips it learnt from"),
        ("lookhear", __version__),
    ]
