"""Whether a given name stands for a person here, by the words around it."""

from __future__ import annotations

import re

from filters.counterfactual.lexicon import surnames
from filters.counterfactual.wordlist import words

PERSON, SURNAME, PLACE, TITLED, UNSURE, KNOWN = range(6)

_PLACES = re.compile(
    r"\b(?:San|Santa|Saint|St\.?|Mt\.?|Mount|Lake|Fort|Port|Camp|Los|Las|Cape|Point|Hurricane|Mc|O[’'])\s?$"
)
_THINGS = re.compile(
    r"\s(?:Street|St\b|Avenue|Ave\b|Road|Rd\b|Drive|Lane|Square|River|Lake|Bay|Island|University|College|School|Hospital|Park|"
    r"Prize|Award|Inc|Ltd|Corp|Company|Hall|County|Beach|City|Stadium|Airport|Station|Church|Cathedral|Museum|Institute|Foundation)\b"
    r"|-[A-Za-z]"
)
_RANKS = re.compile(
    r"\b(?:Sir|Lady|Lord|Dame|King|Queen|Prince|Princess|Pope|Emperor|President|Senator|Duke|Duchess|Tsar)\s$"
)
_POLITE = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Doctor|Captain|Judge|Officer|Detective)\.?\s$")
_CAPITAL = re.compile(r" (?:[A-Z]\. )?([A-Z][a-z]+)")
_AFTER_CAPITAL = re.compile(r"[a-z,;]\s([A-Z][a-z]+)\s$")
_NO_NAME = words(
    """Uncle Aunt Auntie Grandpa Grandma Granny Cousin Brother Sister Coach Mr Mrs Ms Miss Dr Monday Tuesday Wednesday Thursday Friday
    Saturday Sunday January February March April June July August September October November December Christmas Easter If When
    While After Before As Then But And So Because Since Today Yesterday Now How What Why Did Does Is Was Has Can Could Would
    Should Let"""
)
YEARS = re.compile(r"\s*[A-Z][a-z]+ \((?:born |c\. )?\d{4}")
"""A surname and years: someone whom books know."""

_BEGINS = re.compile(r"(?:^|[.!?:;\n>#*\-–—\"“”‘(\[]|\d\.)[\s*_\"“‘]*$")
_ARTICLE = re.compile(
    r"\b(?:the|a|an|in|of|on|this|next|last|since|until|by|every|each|to|from|good|his|her|my|your|their)\s$",
    re.IGNORECASE,
)
_VERBS = re.compile(
    r"(?:['’]s\b| (?:is|was|has|had|said|says|went|goes|wants|wanted|needs|needed|buys|bought|sells|sold|gets|got|gives|gave|makes|made|"
    r"takes|took|works|worked|lives|lived|likes|liked|loves|loved|thinks|thought|knows|knew|sees|saw|finds|found|earns|earned|eats|ate|"
    r"runs|ran|reads|read|writes|wrote|plays|played|pays|paid|spends|spent|starts|started|decides|decided|asks|asked|tells|told|"
    r"looks|looked|smiled|nodded|replied|walked|walks|can|could|must|should|would|and (?:his|her|[A-Z])))"
)
_INTRODUCED = re.compile(
    r"\b(?:named|called|and|with|friend|friends|brother|sister|uncle|aunt|cousin|son|daughter|name is|I'm|I am|Dear|Hi|Hello|Hey),?\s$"
)


def begins(before: str) -> bool:
    """Whether a sentence, a line or a quotation begins here, so that a capital says nothing."""
    return _BEGINS.search(before) is not None


def of_name(before: str, after: str, *, after_name: bool, male: bool) -> int:
    """What a given name is between these texts. after_name: another given name stands right before it."""
    if _RANKS.search(before) or YEARS.match(after):
        return TITLED
    if _PLACES.search(before) or _THINGS.match(after):
        return PLACE
    if after_name:
        # Women's names are seldom surnames: Mary Anne, but Steve Martin.
        return SURNAME if male else PERSON
    if (full := _CAPITAL.match(after)) is not None:
        return PERSON if full[1] in surnames() or full[1] in _NO_NAME else KNOWN
    if _POLITE.search(before):
        return SURNAME
    said = _AFTER_CAPITAL.search(before)
    return SURNAME if said and said[1] not in _NO_NAME else PERSON


def of_word(before: str, after: str) -> int:
    """The same of a name that is a word as well (Will, Rose): a person only where something says so."""
    if _VERBS.match(after) and not (_ARTICLE.search(before) and not begins(before)):
        return PERSON
    if begins(before):
        return UNSURE
    if _ARTICLE.search(before):
        return PLACE
    return PERSON if _INTRODUCED.search(before) or re.search(r"[a-z,]\s$", before) else UNSURE
