"""Written English -> the words a voice says and the marks it pauses at: numbers, money, times, dates, abbreviations.

Each rule rewrites one kind of expression into words; what is left are words, initials and marks. Nothing raises: signs
that nobody says (emoji, other scripts) are left out, which may leave no sentence at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tandem_models import lexicon
from tandem_models import written_forms as forms
from tandem_models.number_words import cardinal, digits, number, ordinal, plural, year

Kind = Literal["statement", "question", "exclamation"]

_KINDS: Final[dict[str, Kind]] = {"?": "question", "!": "exclamation"}
_ENDS: Final = frozenset(".?!")
PAUSES: Final = frozenset(",;:")
"""Marks within a sentence."""
LONGEST: Final = 60
"""Words of a sentence; a longer one is cut, so that speech of endless text can begin."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said in one go."""

    tokens: tuple[str, ...]
    """Lower-case words of a to z and apostrophe, and marks of PAUSES between words; a letter that is said by its name
    has a dot after it: `a` is the article, `a.` the letter."""
    kind: Kind

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token for token in self.tokens if token not in PAUSES)

    def __str__(self) -> str:
        """For people: words, marks, and one mark at the end."""
        text = ""
        for token in self.tokens:
            shown = token.rstrip(".").upper() if token.endswith(".") else token
            text += token if token in PAUSES else f" {shown}" if text else shown
        return text + {"question": "?", "exclamation": "!", "statement": "."}[self.kind]


def normalise(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text; empty when nothing in it can be said."""
    plain = _plain(text)
    for pattern, spoken in _RULES:
        plain = pattern.sub(spoken, plain)
    shouting = plain.upper() == plain and len(plain.split()) > 2
    return tuple(_sentences(_TOKEN.findall(plain), shouting=shouting))


def _plain(text: str) -> str:
    """ASCII letters, digits and signs; accents off, Greek letters by name, everything else a space."""
    text = "".join(forms.SIGNS.get(sign, sign) for sign in text)
    kept = []
    for sign in unicodedata.normalize("NFKD", text):
        if sign.isascii():
            kept.append(sign if sign.isprintable() else " ")
        elif unicodedata.combining(sign):
            continue
        else:
            kept.append(_foreign(sign))
    return " ".join("".join(kept).split())


def _foreign(sign: str) -> str:
    """π -> pi, ß -> ss; a sign of another script is not said."""
    if sign in forms.LETTERS:
        return forms.LETTERS[sign]
    name = re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)", unicodedata.name(sign, ""))
    return f" {name[1].lower()} " if name else " "


# --- rules, in the order in which they apply ------------------------------------------------------------------------

_Match = re.Match[str]
_NUMBER: Final = r"\d+(?:,\d{3})*(?:\.\d+)?"


def _money(match: _Match) -> str:
    """$45.50 -> forty five dollars and fifty cents, $3 million -> three million dollars, $1.5 -> one point five."""
    one, many, cent, cents = forms.CURRENCIES[match["sign"]]
    amount, scale = match["amount"], match["scale"]
    if scale:
        return f" {number(amount)} {forms.SCALES[scale.lower()]} {many} "
    whole, _, decimals = amount.replace(",", "").partition(".")
    if decimals and len(decimals) != 2:
        return f" {number(amount)} {many} "
    said = [f"{number(whole)} {one if whole == '1' else many}"] if int(whole) or not int(decimals or 0) else []
    if int(decimals or 0):
        said.append(f"{cardinal(int(decimals))} {cent if decimals == '01' else cents}")
    return f" {' and '.join(said)} "


def _time(match: _Match) -> str:
    """10:30 -> ten thirty, 7:05 pm -> seven oh five p m, 9:00 -> nine o'clock."""
    hour, minute, half = int(match["hour"]), match["minute"], match["half"] or ""
    said = cardinal(hour)
    if minute and int(minute):
        said += f" {'oh ' if int(minute) < 10 else ''}{cardinal(int(minute))}"
    elif minute and hour > 12:
        said += " hundred"
    elif minute and not half:
        said += " o'clock"
    return f" {said} {_spelled(half + 'm') if half else ''}"


def _iso_date(match: _Match) -> str:
    return f" {forms.MONTHS[int(match[2]) - 1]} {ordinal(int(match[3]))}, {year(int(match[1]))} "


def _slash_date(match: _Match) -> str:
    """As in the United States, the month first, unless it cannot be a month."""
    month, day = int(match[1]), int(match[2])
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0].replace("/", " slash ")
    return f" {forms.MONTHS[month - 1]} {ordinal(day)}, {year(int(match[3]))} "


def _fraction(match: _Match) -> str:
    """1/2 -> one half, 3/4 -> three quarters, 2 1/2 -> two and one half."""
    whole, top, bottom = match["whole"], int(match["top"]), int(match["bottom"])
    if not 2 <= bottom <= 20 or top >= bottom:
        return match[0].replace("/", " slash ")
    part = {2: "half", 4: "quarter"}.get(bottom, ordinal(bottom))
    many = "halves" if part == "half" else f"{part}s"
    return f" {number(whole) + ' and ' if whole else ''}{cardinal(top)} {part if top == 1 else many} "


def _unit(match: _Match) -> str:
    amount, (one, many) = match["amount"], forms.UNITS[match["unit"]]
    return f" {number(amount)} {one if amount == '1' else many} "


def _address(match: _Match) -> str:
    """tandem@example.com/help -> tandem at example dot com slash help."""
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0])
    return " " + "".join(forms.ADDRESS_SIGNS.get(sign, sign) for sign in address) + " "


def _spelled(letters: str) -> str:
    """PM -> p~ m~, which is how the rules mark a letter that is said by its name."""
    return "".join(f"{letter.lower()}~ " for letter in letters if letter.isalpha())


def _abbreviation(match: _Match) -> str:
    return forms.ABBREVIATIONS[match[1].lower()] + " "


_RULES: Final[tuple[tuple[re.Pattern[str], Callable[[_Match], str] | str], ...]] = (
    (
        re.compile(
            r"\b(?:https?://|www\.)[\w./?=&#~%+-]*\w|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.\w{2,}\b"
            r"|\b(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|io|dev|uk|de)\b(?:/[\w/-]*\w)?"
        ),
        _address,
    ),
    # The last dot of "a.m." ends the sentence as well where a capital or nothing follows.
    (re.compile(r"(?<=\d)\s?([apAP])\.\s?[mM]\.(?=\s+[A-Z]|$)"), r" \1m. "),
    (re.compile(r"(?<=\d)\s?([ap])\.\s?m\b\.?", re.I), r" \1m "),
    (re.compile(forms.ABBREVIATION, re.I), _abbreviation),
    (re.compile(r"\b((?:[A-Za-z]\.){2,})(?=\s+[A-Z][a-z]|$)"), lambda m: f" {_spelled(m[1])}. "),
    (re.compile(r"\b(?:[A-Za-z]\.){2,}|\b[A-HJ-Z]\.(?=\s[A-Z])"), lambda m: f" {_spelled(m[0])} "),
    (re.compile(r"\bSt\.(?=\s+[A-Z])"), "saint"),
    (re.compile(rf"(?<![\w.])-(?={_NUMBER})"), " minus "),
    (re.compile(r"\bp\.\s?(?=\d)"), "page "),
    (re.compile(r"\bNo\.\s?(?=\d)"), "number "),
    (re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b"), _iso_date),
    (re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b"), _slash_date),
    (
        re.compile(rf"(?P<sign>[$£€¥])\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale>{forms.SCALE})\b)?", re.I),
        _money,
    ),
    (re.compile(r"\b(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?:\s?(?P<half>[ap])m\b)?", re.I), _time),
    (re.compile(r"\b(?P<hour>1[0-2]|[1-9])(?P<minute>)\s?(?P<half>[ap])m\b", re.I), _time),
    (re.compile(r"(?:\b(?P<whole>\d+) )?\b(?P<top>\d{1,2})/(?P<bottom>\d{1,2})\b"), _fraction),
    (re.compile(r"(?<![\d-])\(?(\d{3})\)?[-. ](\d{3})[-. ](\d{4})\b"), lambda m: ", ".join(map(digits, m.groups()))),
    (re.compile(r"\b(\d{3})-(\d{4})\b"), lambda m: f"{digits(m[1])}, {digits(m[2])}"),
    (re.compile(rf"\b({_NUMBER})\s?[-–]\s?(?=[$£€]?\d)"), r"\1 to "),
    (re.compile(rf"(?P<amount>{_NUMBER})\s?(?P<unit>{forms.UNIT})(?![\w'])"), _unit),
    (re.compile(r"\b(1[1-9]|20)(\d0)'?s\b"), lambda m: f" {plural(year(int(m[1] + m[2])))} "),
    (re.compile(r"(?:'|\b)([2-9]0)'?s\b"), lambda m: f" {plural(cardinal(int(m[1])))} "),
    (re.compile(r"\b(\d{1,9})(?:st|nd|rd|th)\b", re.I), lambda m: f" {ordinal(int(m[1]))} "),
    (
        re.compile(rf"\b({'|'.join(forms.MONTHS)}) ([12]?\d|3[01])\b(?!:)", re.I),
        lambda m: f"{m[1]} {ordinal(int(m[2])) if int(m[2]) else digits(m[2])}",
    ),
    (re.compile(r"(?<![\d.,])(1[1-9]|20)(\d\d)(?![\d.]\d|,\d{3}|\d)"), lambda m: f" {year(int(m[1] + m[2]))} "),
    (re.compile(r"(?<![\w.])\.\d+"), lambda m: f" {number(m[0])} "),
    (re.compile(_NUMBER), lambda m: f" {number(m[0])} "),
    (re.compile(r"[$£€¥%&+=@#°<>/\\*^|]"), lambda m: f" {forms.SPOKEN_SIGNS.get(m[0], '')} "),
    (re.compile(r"\s-+\s|--+|\s?[()\[\]{}]+\s?"), ", "),
    (re.compile(r"\.{2,}"), ","),
)


# --- words ----------------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(r"[a-z]~|[A-Za-z]+(?:'[A-Za-z]+)*|[.?!,;:]")
_INITIALS: Final = re.compile(r"[B-HJ-Z]|[A-Z]{2,5}s?")
_LONGEST_WORD: Final = 30
"""Letters; a longer run is no word and is said in pieces."""


def _sentences(tokens: list[str], *, shouting: bool) -> list[Sentence]:
    found: list[Sentence] = []
    said: list[str] = []
    for token in [*tokens, "."]:
        if token in PAUSES:
            if said and said[-1] not in PAUSES:
                said.append(token)
            continue
        if token in _ENDS:
            _close(said, token, found)
            said = []
            continue
        said += _words(token, shouting=shouting)
        while len(said) >= LONGEST:
            _close(said[:LONGEST], ".", found)
            said = said[LONGEST:]
    return found


def _close(said: list[str], mark: str, found: list[Sentence]) -> None:
    """One more sentence, if anything is said in it; several marks in a row belong to the one before."""
    while said and said[-1] in PAUSES:
        said.pop()
    if said:
        found.append(Sentence(tuple(said), _KINDS.get(mark, "statement")))
    elif found and mark == "?":
        found[-1] = Sentence(found[-1].tokens, "question")


def _words(token: str, *, shouting: bool) -> list[str]:
    """One run of letters as words: initials letter by letter, the rest in lower case."""
    if token.endswith("~"):
        return [f"{token[0]}."]
    if _INITIALS.fullmatch(token) and not (shouting and len(token) > 1) and not _known(token):
        letters, ending = (token[:-1], "'s") if token.endswith("s") else (token, "")
        spelled = [f"{letter.lower()}." for letter in letters]
        return [*spelled[:-1], spelled[-1][0] + ending] if ending else spelled
    return [token[start : start + _LONGEST_WORD].lower() for start in range(0, len(token), _LONGEST_WORD)]


def _known(capitals: str) -> bool:
    """Whether a run of capitals is in the lexicon: a word (NASA, BIG), or initials that it spells (FBI)."""
    stem = capitals.removesuffix("s")
    return len(stem) > 1 and stem not in forms.SPELLED and stem.lower() in lexicon.shipped()
