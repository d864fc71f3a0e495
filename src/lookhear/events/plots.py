"""The timeline of a clip's tags, as a picture of its own (SVG): when each is seen, and heard."""

from markupsafe import Markup

from lookhear.events.finding import Events
from lookhear.show.axes import COLOURS, FONT_SIZE, INK, LINE, Axes, Scale, element, picture, text
from lookhear.show.lettering import fitted

WIDTH = 760
LEFT = 240
LETTER = 0.56 * FONT_SIZE  # wide, about
LANE, GAP = 15, 12  # pixels
FAINTEST = 0.3  # opacity of the weakest evidence


def timeline_plot(events: Events) -> Markup:
    """Two lanes a tag, of when it is seen and when it is heard; the stronger, the fuller."""
    count = len(events.tags)
    block = 2 * LANE + 6 + GAP
    top, bottom = 12, 12 + block * count
    axes = Axes(
        Scale.of_time(0, max(events.seconds, 1), 8),
        Scale(0, 1, {}),
        left=LEFT,
        top=top,
        right=WIDTH - 24,
        bottom=bottom,
    )
    axes.grid(upright=True, fill="none", stroke="#e4e0ea")
    for tick, label in axes.x.ticks.items():
        axes.marks.append(text(label, axes.across(tick), bottom + LINE, anchor="middle"))
    for number, tag in enumerate(events.tags):
        colour = number % len(COLOURS)
        above = top + block * number
        name = fitted(tag.name, lambda part: LETTER * len(part) <= LEFT - 76)
        middle = above + LANE + 7
        axes.marks.append(text(name, 8, middle, COLOURS[colour], f"name-{colour + 1}"))
        for row, modality in enumerate(("seen", "heard")):
            upper = above + row * (LANE + 3)
            axes.marks.append(text(modality, LEFT - 10, upper + 12, INK, anchor="end"))
            for span in events.spans:
                if (span.tag, span.modality) == (tag.name, modality):
                    left, right = axes.across(span.start), axes.across(span.end)
                    axes.marks.append(
                        element(
                            "rect",
                            x=left,
                            y=float(upper),
                            width=max(right - left, 1.0),
                            height=float(LANE),
                            rx=2.0,
                            fill=COLOURS[colour],
                            class_=f"dot-{colour + 1}",
                            opacity=f"{FAINTEST + (1 - FAINTEST) * span.score:.2f}",
                        )
                    )
    said = f"When {', '.join(tag.name for tag in events.tags)} are seen and heard"
    return picture(WIDTH, bottom + LINE + 10, said, *axes.marks)
