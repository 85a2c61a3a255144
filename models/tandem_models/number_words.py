"""Numbers as American English says them: cardinals, ordinals, years, decimals, digit by digit; without hyphens."""

from __future__ import annotations

from typing import Final

_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = (
    (10**15, "quadrillion"), (10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"),
    (100, "hundred"),
)  # fmt: skip
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
LONGEST: Final = 18
"""Digits of a number that has a name; a longer one is read digit by digit."""


def cardinal(value: int) -> str:
    """1234 -> one thousand two hundred thirty four."""
    if value < 0:
        return f"minus {cardinal(-value)}"
    if value >= 10**LONGEST:
        return digits(str(value))
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_ONES[value % 10]}" if value % 10 else "")
    scale, name = next((scale, name) for scale, name in _SCALES if value >= scale)
    rest = value % scale
    return f"{cardinal(value // scale)} {name}" + (f" {cardinal(rest)}" if rest else "")


def ordinal(value: int) -> str:
    """21 -> twenty first."""
    *before, last = cardinal(value).split()
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, _ORDINALS.get(last, regular)])


def year(value: int) -> str:
    """1905 -> nineteen oh five, 2000 -> two thousand, 2026 -> twenty twenty six; outside 1000 to 9999, the cardinal."""
    century, rest = divmod(value, 100)
    if not 10 <= century <= 99 or (century % 10 == 0 and rest < 10):
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(figures: str) -> str:
    """90 -> nine zero; what is not a decimal digit is left out."""
    return " ".join(_ONES[int(figure)] for figure in figures if figure.isdecimal())


def number(figures: str) -> str:
    """A numeral with thousands separators or a decimal point: 1,234.50 -> one thousand two hundred thirty four point
    five zero. One with a leading zero or more than 18 figures is read digit by digit."""
    whole, _, decimals = figures.replace(",", "").partition(".")
    if len(whole) > LONGEST or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole)
    else:
        spoken = cardinal(int(whole)) if whole else ""
    return f"{spoken} point {digits(decimals)}".strip() if decimals else spoken


def plural(words: str) -> str:
    """nineteen ninety -> nineteen nineties."""
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}{'es' if words.endswith('x') else 's'}"
