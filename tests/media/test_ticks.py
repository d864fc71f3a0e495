"""Which frames are due at a rate, or for some times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookhear.media.ticks import Due


@given(rate=st.sampled_from([24, 25, 28, 30, 60]), fps=st.integers(1, 12))
def test_rounded_timestamps_do_not_change_which_frames_are_due(rate: int, fps: int) -> None:
    def due(times: list[float]) -> list[int]:
        ticks = Due(fps)
        return [index for index, time in enumerate(times) if ticks.by(time)]

    exact = [index / rate for index in range(4 * rate)]
    for digits in (6, 4):
        rounded = due([round(time, digits) for time in exact])
        assert rounded == due(exact)
        assert len(rounded) == 4 * fps


def test_a_frame_is_due_once_however_many_ticks_it_stands_for() -> None:
    ticks = Due(10)
    assert [ticks.by(time) for time in (0, 0.02, 0.35, 0.39, 0.4)] == [1, 0, 3, 0, 1]


@pytest.mark.parametrize("times", [[0.2, 0.1, 0.2], [0.1, 0.2, 0.2]])
def test_times_have_come_with_the_first_frame_at_or_after_them(times: list[float]) -> None:
    ticks = Due(times)
    assert [ticks.by(time) for time in (0, 0.0996, 0.15, 0.3, 0.4)] == [0, 1, 0, 2, 0]
