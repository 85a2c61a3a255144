"""The tables behind `normalise_text`: how signs, abbreviations, units and money are said in American English."""

from __future__ import annotations

import re
from typing import Final

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

SIGNS: Final = {
    "’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'", "“": " ", "”": " ", "«": " ", "»": " ", '"': " ",
    "–": " - ", "—": " - ", "―": " - ", "−": "-", "‐": "-", "‑": "-", "…": "...", "·": " ", "•": ", ",
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "≈": " about ", "≤": " at most ", "≥": " at least ",
    "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "²": " squared", "³": " cubed", "¿": " ", "¡": " ", "，": ",", "。": ".",
    "？": "?", "！": "!", "°": "°",
}  # fmt: skip
"""Typography -> what the rules know."""
LETTERS: Final = {
    "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "ð": "th", "þ": "th", "Þ": "Th", "ı": "i", "£": "£", "€": "€", "¥": "¥", "°": "°", "©": " copyright ",
    "®": " ", "§": " section ",
}  # fmt: skip
"""Latin letters that no accent can be taken off, and signs that stay for the rules."""
SPOKEN_SIGNS: Final = {
    "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "%": "percent", "&": "and", "+": "plus", "=": "equals",
    "@": "at", "°": "degrees", "/": "slash",
}  # fmt: skip
ADDRESS_SIGNS: Final = {".": " dot ", "@": " at ", "/": " slash ", "-": " dash ", "_": " underscore "}

CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
}
SCALES: Final = {
    "k": "thousand", "thousand": "thousand", "m": "million", "million": "million", "bn": "billion", "b": "billion",
    "billion": "billion", "trillion": "trillion",
}  # fmt: skip
SCALE: Final = "|".join(sorted(SCALES, key=len, reverse=True))

UNITS: Final = {
    "%": ("percent", "percent"), "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"), "°": ("degree", "degrees"), "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"), "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "ft": ("foot", "feet"), "ml": ("milliliter", "milliliters"),
    "mph": ("mile per hour", "miles per hour"), "km/h": ("kilometer per hour", "kilometers per hour"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "KB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"), "dB": ("decibel", "decibels"),
    "ms": ("millisecond", "milliseconds"), "min": ("minute", "minutes"), "hrs": ("hour", "hours"),
    "kW": ("kilowatt", "kilowatts"), "kWh": ("kilowatt hour", "kilowatt hours"), "m": ("meter", "meters"),
    "k": ("thousand", "thousand"), "g": ("gram", "grams"), "kcal": ("kilocalorie", "kilocalories"),
}  # fmt: skip
"""After a number: one, and more than one."""
UNIT: Final = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))

ABBREVIATIONS: Final = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor", "jr": "junior", "sr": "senior",
    "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department", "est": "established",
    "e.g": "for example", "i.e": "that is", "capt": "captain", "sgt": "sergeant", "gen": "general", "gov": "governor",
    "inc": "incorporated", "ltd": "limited", "co": "company", "corp": "corporation", "ave": "avenue",
    "blvd": "boulevard", "rd": "road", "apt": "apartment", "tel": "telephone", "jan": "January", "feb": "February",
    "aug": "August", "sept": "September", "oct": "October", "nov": "November", "dec": "December", "mon": "Monday",
    "tues": "Tuesday", "wed": "Wednesday", "thurs": "Thursday", "fri": "Friday",
}  # fmt: skip
"""With a dot after them."""
ABBREVIATION: Final = (
    r"(?<![\w.])("
    + "|".join(re.escape(short) for short in sorted(ABBREVIATIONS, key=len, reverse=True))
    + r")\.(?=[\s,;:]|$),?\s?"
)

SPELLED: Final = frozenset({"US", "IT", "AI", "AM", "ID", "UN", "LA", "ER", "AKA", "UPS", "IOS"})
"""Capitals that are read letter by letter although there is such a word."""
