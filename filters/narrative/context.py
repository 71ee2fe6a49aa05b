"""Who speaks: whether a hit is the assistant's own voice, or quoted, asked for, attributed to others, or denied.

Looked at only where a rule matched, so plain ``re`` will do; every expression here is linear on the stretch it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable

REACH = 300
"""Characters looked at before and after a hit."""
_FENCE = re.compile(r"^\s*(```|~~~)", re.M)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？\n]")
_PAIRS = (("“", "”"), ("«", "»"), ("„", "“"), ("「", "」"), ("『", "』"), ("‘", "’"), ("《", "》"))

_REQUEST = re.compile(
    r"""\b(?:translat\w+|paraphras\w+|rewrite|rephras\w+|proofread|role.?play\w*|pretend|imagine\s+(?:that\s+)?you|act\s+as|you\s+are\s+now
    |(?:in|from)\s+the\s+(?:voice|style|persona|perspective|character|role|tone)\s+of|as\s+if\s+you\s+(?:are|were)|speak\s+as|in\s+character
    |(?:write|draft|compose|give|create|generate)\b[^.\n]{0,60}\b(?:speech|slogan|manifesto|anthem|editorial|propaganda|monologue|dialogue
      |poem|song|lyrics|story|letter|op-?ed|fiction|essay|script|pledge|oath|toast|statement)
    |quote\s+(?:from|the)|recite|complete\s+the\s+(?:sentence|text|speech)|summari[sz]e\s+(?:this|the\s+(?:following|speech|text|article))
    |tradui\w+|tradu[cz]\w+|übersetz\w+|jeu\s+de\s+rôle|rollenspiel|discours\b|discurso\b|discorso\b
    |imagine[sz]?\s+que\s+(?:tu|vous|eres)|fai\s+finta|schreibe?\s+[^.\n]{0,40}\b(?:rede|gedicht|brief))\b
    |翻译|翻訳|译成|譯成|扮演|角色|假装|假设你是|演讲稿?|发言稿|朗诵|写(?:一|篇|首)|改写|润色|ロールプレイ|演説|になりきって|のふりをし""",
    re.I | re.X,
)
_ATTRIBUTION = re.compile(
    r"""\b(?:said|says?|saying|stated|states|stating|declared?|declares|announced?|argued?|argues|arguing|claimed|claims?|claiming|asserts?|asserted|insists?|insisted
    |maintains?|maintained|contends?|considers?|considered|regards?|regarded|criticis\w+|critici[sz]ed|views?|viewed|sees|describes?|described|calls?|called|labell?ed|portrays?|portrayed
    |characteri[sz]ed?s?|according\s+to|in\s+the\s+words\s+of|emphasi[sz]e[sd]|promotes?\s+the|framed|frames|presents?|depicts?|rhetoric|slogan|slogans|motto|propaganda|narrative|official\s+(?:position|line|narrative|view|stance)
    |position\s+(?:is|of|that)|stance|wrote|writes|told|quoted?|phrase|the\s+term|the\s+doctrine|terms?\s+such\s+as|believes?|supporters|critics|accus(?:es|ed|ing)|denounc\w+|dismiss(?:es|ed)|reject(?:s|ed)|condemn(?:s|ed)|justif\w+|known\s+as|refer(?:s|red|ring)?\s+to|labels?|dubbed|begriff|ausdruck|schlagwort|unwort|terme|término|termine|titled|article\s+\d+
    |constitution|preamble|anthem|pledge|newspaper|editorial|state\s+media|spokes\w+|treats?\b|reiterat\w+|from\s+\w+'s\s+(?:perspective|point\s+of\s+view)
    |selon|d'après|a\s+déclaré|déclare|affirme|a\s+affirmé|prétend|qualifie|considère|estime|soutient|slogan|laut|sagte|sagt|erklärte|erklärt|behauptet\w*|bezeichnet\w*|betrachtet\w*|zufolge|nannte|nennt|sprach(?:en)?\s+von|sogenannte
    |secondo|ha\s+dichiarato|dichiara|afferma|ha\s+affermato|sostiene|sostengono|considera|consideran|definisce|según|dijo|dice|declaró|afirm[aó]|sostiene|califica|llama|denomina)\b
    |声称|宣称|称其|称为|称之|称，|称：|表示|指出|认为|認為|主张|主張|所称|强调|宣布|据.{0,12}报道|根据.{0,12}(?:说法|立场|声明)|视为|視為|看作|口号|官方(?:立场|说法)|宪法|发言人|说[:：，]|说道|批评者|支持者
    |によると|によれば|と述べ|と主張|と発言|と呼ば|とされ|とみな|と見な|と語|としている|を主張|という(?:スローガン|表現|主張|言葉)""",
    re.I | re.X,
)
_OWN_WORDS = re.compile(
    r"""我们?(?:们)?(?:必须|要|想|需要|需)?(?:强调|认为|表示|指出|声明|说)
    |\b(?:I|we)\s+(?:must\s+|would\s+|want\s+to\s+|need\s+to\s+|should\s+)?(?:say|believe|state|emphasi[sz]e|stress|maintain|consider|insist|argue|declare)""",
    re.I | re.X,
)
_NEGATION = re.compile(
    r"""(?:\b(?:not|never|no|neither|nor|without|cannot|nobody|nothing|hardly)|n't|n’t|\b(?:ne|n'|pas|jamais|sans|aucun\w*|nicht|kein\w*|nie|niemals|ohne|non|mai|senza|nessun\w*|nunca|sin|ningún\w*|jamás))\b[^.;:]{0,40}$
    |(?:不|没有|並非|并非|从不|無|无)[^，。；：]{0,8}$""",
    re.I | re.X,
)


def crosses_sentence(hit: str) -> bool:
    """Gaps count bytes and cannot see the full stops of Chinese and Japanese; a hit over one is two half-sentences."""
    return any(c in hit[:-1] for c in "。！？")


def is_quoted(text: str, start: int, end: int) -> bool:
    """Inside quotation marks that open and close in the same paragraph, a block quote, or a fenced block."""
    low = text.rfind("\n", 0, start) + 1
    high = text.find("\n", end)
    high = len(text) if high < 0 else high
    if text[low:start].lstrip().startswith(">") or text[low : low + 1] == ">":
        return True
    # Only what is near: a paragraph of megabytes must not make this quadratic.
    before, after = text[max(low, start - REACH * 3) : start], text[end : min(high, end + REACH * 3)]
    if before.count('"') % 2 and '"' in after:
        return True
    return any(before.rfind(o) > before.rfind(c) and c in after for o, c in _PAIRS if o != "‘") or _is_fenced(
        text, start
    )


def _is_fenced(text: str, start: int) -> bool:
    return len(_FENCE.findall(text[:start])) % 2 == 1


def sentence(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after the hit in its sentence, at most REACH characters of each."""
    before, after = text[max(0, start - REACH) : start], text[end : end + REACH]
    cuts = [m.end() for m in _SENTENCE_END.finditer(before)]
    stop = _SENTENCE_END.search(after)
    return before[cuts[-1] if cuts else 0 :], after[: stop.start()] if stop else after


def is_attributed(text: str, start: int, end: int) -> bool:
    """Somebody else is named as saying it, in the same sentence; what the speaker says of itself is nobody else's."""
    before, after = sentence(text, start, end)
    before = _OWN_WORDS.sub("", before)
    # After the words only their speaker may be named (", he said"), not somebody who says otherwise.
    after = re.split(r"[;；]|\bthose\s+who\b", after)[0][:80]
    return bool(_ATTRIBUTION.search(before) or _ATTRIBUTION.search(after))


def is_negated(text: str, start: int, end: int) -> bool:
    return bool(_NEGATION.search(sentence(text, start, end)[0]))


def is_requested(prompt: str) -> bool:
    """The user asked for a translation, a rewording, a role or a text in somebody's voice."""
    return bool(_REQUEST.search(prompt[:4000])) or bool(_REQUEST.search(prompt[-1000:]))


def excuse(unless: tuple[str, ...], text: str, start: int, end: int, prompt: Callable[[], str]) -> str | None:
    """The first context of ``unless`` that holds for a hit (offsets in characters), or None: it is the assistant's voice."""
    tests: dict[str, Callable[[], bool]] = {
        "quoted": lambda: is_quoted(text, start, end),
        "attributed": lambda: is_attributed(text, start, end),
        "negated": lambda: is_negated(text, start, end),
        "requested": lambda: is_requested(prompt()),
    }
    return next((name for name in tests if name in unless and tests[name]()), None)
