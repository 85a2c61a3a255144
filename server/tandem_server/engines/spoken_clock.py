"""Times and dates in words, so that any voice can say them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

NUMBERS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth", "twenty first", "twenty second", "twenty third", "twenty fourth", "twenty fifth", "twenty sixth",
    "twenty seventh", "twenty eighth", "twenty ninth", "thirtieth", "thirty first",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def spoken_time(now: datetime) -> str:
    """'ten past three in the afternoon', to the nearest minute below."""
    hour, minute = now.hour, now.minute
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    if minute > 30:
        return f"{count(60 - minute)} to {hour_name(hour + 1)} {part}"
    if minute == 30:
        return f"half past {hour_name(hour)} {part}"
    return f"{count(minute)} past {hour_name(hour)} {part}" if minute else f"{hour_name(hour)} o'clock {part}"


def hour_name(hour: int) -> str:
    """The hour (0 to 24) on a twelve-hour clock."""
    return NUMBERS[(hour - 1) % 12 + 1]


def count(minutes: int) -> str:
    """Minutes up to 30 in words."""
    if minutes == 15:
        return "a quarter"
    name = NUMBERS[minutes] if minutes < 20 else "twenty" + (f" {NUMBERS[minutes - 20]}" if minutes > 20 else "")
    return name if minutes % 5 == 0 else f"{name} minute{'s' if minutes > 1 else ''}"


def spoken_date(now: datetime) -> str:
    """'Tuesday, the third of June'."""
    return f"{DAYS[now.weekday()]}, the {ORDINALS[now.day - 1]} of {MONTHS[now.month - 1]}"
