"""What a look at a data set has found, and how it is said on one screen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lookhear.data.readers.tagged import Fault

SCREEN_LINES, SCREEN_COLUMNS = 28, 80
MAX_ROWS = 8  # of a table
# How many examples of each kind of trouble, and of how many kinds: the first that fit are taken.
_ROOM = (
    *((examples, 15) for examples in range(5, 0, -1)),
    *((1, kinds) for kinds in range(12, 0, -1)),
)


@dataclass(frozen=True)
class Trouble:
    """Things of which the same is wrong or odd."""

    what: str  # what it is, as a heading
    cases: Sequence[str]  # all of them, the first of which are shown
    total: int = 0  # of how many they are; 0 where that says nothing
    advice: str = ""  # what to do, or what it means

    def heading(self) -> str:
        """Say what it is and how much of it there is."""
        of = f" of {self.total:,}" if self.total else ""
        return f"{self.what}: {len(self.cases):,}{of}" + (f"; {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Section:
    """What was found of one layout."""

    title: str  # which layout
    unit: str  # what is counted, in the plural
    usable: int = 0  # how many there are with nothing in the way of using them
    total: int = 0  # how many are listed
    rows: Sequence[Sequence[str]] = ()  # A table, its headings first; may be empty
    facts: Sequence[str] = ()  # lines on the whole
    troubles: Sequence[Trouble] = ()  # what is wrong or odd; kinds without a case do not matter


@dataclass(frozen=True)
class Findings:
    """What was found at a path."""

    path: Path  # the path
    sections: tuple[Section, ...]  # one for each layout that is there

    @property
    def usable(self) -> int:
        """How many clips, pictures or moments can be used."""
        return sum(section.usable for section in self.sections)


def by_reason(faults: Iterable[Fault]) -> list[Trouble]:
    """Faults as troubles, a kind for each reason, in the order in which they come up."""
    cases: dict[str, list[str]] = {}
    for fault in faults:
        cases.setdefault(fault.reason, []).append(fault.what)
    return [Trouble(f"{reason[:1].upper()}{reason[1:]}", what) for reason, what in cases.items()]


def row(name: str, *numbers: int) -> tuple[str, ...]:
    """A row of a table."""
    return (name, *(f"{number:,}" for number in numbers))


def names_in(folder: Path) -> set[str]:
    """What is in a folder, but for what is hidden; nothing where there is no such folder."""
    try:
        return {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    except OSError:
        return set()


def render(findings: Findings) -> RenderableType:
    """Findings for a terminal, at most `SCREEN_LINES` lines of `SCREEN_COLUMNS` columns.

    Only where very many things are wrong with many layouts at once it may take more lines.
    """
    for examples, kinds in _ROOM:
        blocks = [_block(section, examples, kinds) for section in findings.sections]
        if sum(height for _, height in blocks) + 1 <= SCREEN_LINES:
            break
    return Group(
        Text(_printable(str(findings.path)), style="bold"), *(block for block, _ in blocks)
    )


def _block(section: Section, examples: int, kinds: int) -> tuple[Group, int]:
    """A section and its height."""
    parts: list[RenderableType] = [Text(), _line(section.title, "bold")]
    height = 2
    if section.rows:
        parts.append(_table(section.rows))
        height += min(len(section.rows), MAX_ROWS + 2)
    troubles = [trouble for trouble in section.troubles if trouble.cases]
    lines = [_line(f"  {fact}") for fact in section.facts]
    for trouble in troubles[:kinds]:
        lines += _told(trouble, examples)
    if hidden := troubles[kinds:]:
        cases = sum(len(trouble.cases) for trouble in hidden)
        kinds_of = "; ".join(trouble.what for trouble in hidden)
        lines.append(
            _line(f"  Other kinds: {len(hidden)}, cases: {cases:,} ({kinds_of})", "yellow")
        )
    style = "green" if section.usable else "red"
    lines.append(_line(f"  Usable: {section.usable:,} of {section.total:,} {section.unit}", style))
    return Group(*parts, *lines), height + len(lines)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    headings, *body = rows
    table.add_column(f"  {headings[0]}", no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    for first, *rest in body[:MAX_ROWS]:
        table.add_row(Text(f"  {_printable(first)}"), *rest)
    if len(body) > MAX_ROWS:
        table.add_row(f"  and {len(body) - MAX_ROWS} more")
    return table


def _told(trouble: Trouble, examples: int) -> Iterator[Text]:
    """A trouble and its first cases, in as few lines as they fit in."""
    words = [_printable(case) for case in trouble.cases[:examples]]
    if len(trouble.cases) > examples:
        words.append(f"and {len(trouble.cases) - examples:,} more")
    heading, all_words = f"  {trouble.heading()}", "; ".join(words)
    if len(heading) + len(all_words) + 3 <= SCREEN_COLUMNS:
        yield _line(f"{heading} ({all_words})", "yellow")
        return
    yield _line(heading, "yellow")
    line = ""
    for word in words:
        if line and len(line) + len(word) + 7 > SCREEN_COLUMNS:
            yield _line(f"    {line};")
            line = ""
        line += f"; {word}" if line else word
    yield _line(f"    {line}")


def _line(text: str, style: str = "") -> Text:
    line = Text(_printable(text), style=style, no_wrap=True)
    line.truncate(SCREEN_COLUMNS, overflow="ellipsis")
    return line


def _printable(text: str) -> str:
    """A text without what could move the cursor or turn the line around."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
