"""How well models predict where people looked, on pictures and on clips."""
