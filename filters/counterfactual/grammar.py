"""Whose "her" and "his" are: a possessive before its noun (his book) or a pronoun that stands by itself (saw him, it is hers).

Decided by the next word, and for some next words by the one before: no parser. What it gets wrong is in docs/augment.md.
"""

from __future__ import annotations

import re

from filters.counterfactual.wordlist import words

_SKIP = re.compile(r"[ \t]*\n?[ \t]*(?:[*_]{1,3}|[\"“‘(\[])?(?=[\w$€£])")
"""What may stand between a possessive and its noun: a space or one line's end, emphasis or an opening quote."""
_WORD = re.compile(r"[\w'’]+(?:-[\w'’]+)*")
_GENITIVE = re.compile(
    r"\b(?:an?|another|some|any|no|this|that|these|those|many|few|two|three|\d+)(?: \w+){1,2} of\s$", re.IGNORECASE
)
_LAST = re.compile(r"([\w'’]+)[\s*_]*$")

ENDS = words(
    """the a an this that these those some any every each another no my your our their his its i you he she it we they me us them him
    what who whom which when where why how if whether to not and or but so because since while although though unless until than
    as of in on at by for from with without into onto about after before between during through throughout against among around
    behind beside besides beyond despite off over toward towards under upon via within across along up down out is are was were
    be been being am has have had does do did would could should shall may must isn't aren't wasn't weren't didn't doesn't don't
    won't wouldn't couldn't can't again away there here now today tomorrow yesterday tonight then too also just only even
    instead either anymore anyway already once twice forever alone together all both everything something anything nothing
    someone everyone much well better enough yes please always never often sometimes later soon yet directly immediately home
    everywhere anywhere somewhere aside apart accordingly ever"""
)
"""Words that no possessive stands before: before one of these it is "him"."""

NOUNS_TOO = words("home only all both well better up over off down out then about behind after before")
"""Of these, what can begin what is owned: her only son, her home, her then husband. Looked at twice."""

HIS_ENDS = words(
    """is are was were am be been being has had have does do did would could should and or but that to the a an in on at by for from
    with without because since while although though unless until than as if when where who which not so too also alone isn't
    aren't wasn't weren't now again there here these those it he she they you we i"""
)
"""After "his" fewer words say that nothing follows: his will, his past, his then wife."""

ADVERBS_NOT = words(
    """family only daily early lovely friendly elderly lonely belly ally reply jelly fly assembly weekly monthly yearly supply bully
    homely holy ugly silly lively costly likely deadly kindly"""
)
"""Words in -ly that stand before a noun, or are one."""

GIVES = words(
    """give gives gave given giving tell tells told telling show shows showed shown showing send sends sent sending offer offers
    offered offering teach teaches taught teaching buy buys bought buying cost costs owe owes owed owing pay pays paid paying
    lend lends lent lending bring brings brought bringing hand hands handed handing leave leaves left get gets got earn earns
    earned net nets bake bakes baked grant grants granted award awarded charge charges charged save saves saved wish wished
    promise promised deny denied allow allows allowed take takes took taken taking"""
)
"""Verbs with two objects: gave her three apples."""

LETS = words(
    """let lets letting make makes made making help helps helped helping see sees saw seen seeing watch watches watched watching hear
    hears heard hearing feel felt notice noticed have had having"""
)
"""Verbs that a bare verb may follow: let her go, helped her find."""

SEES = LETS | words(
    """keep keeps kept find finds found leave left catch caught spot spotted imagine remember picture start"""
)
"""Verbs that may be followed by someone doing something: saw her walking."""

BARE = words(
    """go know feel be do get see find make take come understand think look learn become leave have keep stay live sleep cry laugh
    smile win choose decide realize realise stand sit walk run move stop start finish reach achieve gain improve develop build
    pay earn buy eat drink speak talk say tell give grow fall forget remember believe want need try use cope carry bring
    navigate overcome focus relax recover prepare pass sing dance read write solve manage perform connect express explore
    succeed reconnect calculate determine figure identify pick put save set share wear wake turn continue create discover escape
    enter join meet open"""
)
COMPLEMENTS = words(
    """happy sad angry proud sick safe busy awake alive sorry afraid aware special mad nervous uncomfortable comfortable speechless
    famous rich poor strong weak tired ill better stronger smarter blush jealous smile laugh cry"""
)
"""After make, keep and the like: made her happy."""

DITRANSITIVE_NOUNS = words(
    """access advice permission time credit money power strength hope joy comfort peace confidence"""
)
BACK = words("back right more less last next first most")


def of_her(before: str, after: str) -> str:
    """ "his" or "him" for a "her" between these texts."""
    if re.search(r"\bhis\s*(?:/|or|and)\s*$", before, re.IGNORECASE):
        return "his"
    if re.search(r"\b(?:she|him)\s*/\s*$", before, re.IGNORECASE):
        return "him"
    if slashed := re.match(r"\s*(?:/\s*(?:or\s+)?|or\s+)(his|him)\b", after, re.IGNORECASE):
        return slashed[1].lower()
    following = _next(_unmarked(before, after))
    if not following:
        return "him"
    last = _before(before)
    return "him" if _stands_alone(following, last, after) else "his"


def of_his(before: str, after: str) -> str:
    """ "her" or "hers" for a "his" between these texts."""
    if slashed := re.match(r"\s*(?:/|or |and )\s*(hers?)\b", after, re.IGNORECASE):
        return "hers" if slashed[1].lower() == "hers" else "her"
    if re.search(r"\bhers\s*(?:/|or|and)\s*$", before, re.IGNORECASE):
        return "hers"
    following = _next(_unmarked(before, after))
    if not following or following[0] in HIS_ENDS or following == ["better"]:
        return "hers"
    # a friend of his called; a friend of his father called.
    genitive = _GENITIVE.search(before) is not None and (
        following[0].endswith("ed") or following[0] in ("will", "can", "may", "came")
    )
    return "hers" if genitive else "her"


def _stands_alone(following: list[str], last: str, after: str) -> bool:
    """Whether a "her" with these following after it and this one before has no noun to itself."""
    first, second = following[0], following[1] if len(following) > 1 else ""
    gives = last in GIVES
    if first in BACK:
        # call her back, more than; but her back hurts, her more recent book, her first son.
        follows = not second or second in ENDS
        return follows and (
            first in ("back", "more", "less", "most") and last not in ("on", "in", "of", "hurt", "behind")
        )
    if first in ENDS:
        return not (first in NOUNS_TOO and second and second not in ENDS and last not in LETS)
    if first.endswith("ly") and first not in ADVERBS_NOT:
        return not second or second in ENDS
    if first.endswith("ing") and first not in (
        "feeling",
        "feelings",
        "ring",
        "king",
        "wedding",
        "building",
        "painting",
    ):
        return last in SEES and first not in ("everything", "clothing")
    if last in LETS and (first in BARE or first in COMPLEMENTS):
        return True
    if gives and (first[0].isdigit() or first[0] in "$€£" or first in DITRANSITIVE_NOUNS or first in _NUMBERS):
        return True
    return after.lstrip()[:1] in "$€£" and gives


_NUMBERS = words(
    """one two three four five six seven eight nine ten eleven twelve twenty thirty fifty several many half more"""
)


def _unmarked(before: str, after: str) -> str:
    """What follows a word that stands in quotes or emphasis by itself, behind their end."""
    return after.lstrip('*_"”') if before[-1:] in ("*", "_", '"', "“") else after


def _next(after: str) -> list[str]:
    """The next following in small letters, up to a mark that ends the phrase; none where such a mark comes first."""
    begun = _SKIP.match(after)
    if begun is None or begun.end() == 0:
        return []
    following: list[str] = []
    at = begun.end()
    while len(following) < 2 and (word := _WORD.match(after, at)) is not None:
        following.append(word[0].lower())
        space = re.compile(r"[ \t]*\n?[ \t]*").match(after, word.end())
        if space is None or space.end() == word.end():
            break
        at = space.end()
    if following or after[begun.end() : begun.end() + 1] not in "$€£":
        return following
    return [after[begun.end() : begun.end() + 1]]


def _before(before: str) -> str:
    last = _LAST.search(before)
    return last[1].lower() if last else ""
