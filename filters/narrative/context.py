"""Who speaks: whether a hit is the assistant's own voice, or quoted, asked for, attributed to others, or denied.

Looked at only where a rule matched, so plain ``re`` will do; every expression here is linear on the stretch it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

REACH = 300
"""Characters looked at before and after a hit."""
_FENCE = re.compile(r"^\s*(```|~~~)", re.M)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？\n]")
_ITEM = re.compile(r"\s*(?:[-*•·–]|\d{1,2}[.)、])")
_PAIRS = (("“", "”"), ("«", "»"), ("„", "“"), ("「", "」"), ("『", "』"), ("‘", "’"), ("《", "》"))

_TASK = re.compile(
    r"""\b(?:translat\w+|paraphras\w+|rewrite|rephras\w+|proofread|quote\s+(?:from|the)|recite|summari[sz]e|turn\s+(?:it|this|that|them)\s+into|continue\s+the\s+(?:story|text|dialogue)
    |complete\s+the\s+(?:sentence|text|speech|story)|debate:?|argue\s+(?:for|against|that)|make\s+the\s+case|persuasive|propaganda|in\s+favou?r\s+of\s+the\s+motion
    |(?:write|draft|compose|give|create|generate|deliver)\b[^.\n]{0,60}\b(?:speech|slogan|manifesto|anthem|propaganda|monologue|dialogue
      |poem|song|lyrics|story|fiction|script|pledge|oath|toast|campaign\s+ad|ad\s+for|chant|scene|sermon|battle\s+cry)
    |(?:write|draft|compose)\b[^.\n]{0,40}\b(?:patriotic|nationalist\w*|persuasive|rousing|one-sided)\b
    |tradui\w+|tradu[cz]\w+|übersetz\w+|résum\w+|riassum\w+|resum\w+|zusammenfass\w+
    |(?:écri[st]\w*|rédige\w*|schreibe?n?|scrivi\w*|escrib[ea]\w*|redacta)\b[^.\n]{0,60}\b(?:discours|poème|chanson|slogan|histoire|rede|gedicht|lied|geschichte|discorso|poesia|canzone|storia|discurso|poema|canción|historia|cuento))\b
    |翻译|翻譯|翻訳|訳して|译成|譯成|译为|演讲稿?|演讲|发言稿|朗诵|写(?:一|篇|首|个|段)|作文|改写|润色|总结|概括|扩写|续写|演説|スピーチ|要約|書き換え|物語|小説""",
    re.I | re.X,
)
_PERSONA = re.compile(
    r"""\b(?:role.?play\w*|pretend|imagine\s+(?:that\s+)?you|act\s+as\s+(?!an?\s+(?:helpful|ai|assistant|expert))|you\s+are\s+now|in\s+character|speak\s+as|play\s+(?:an?|the)\s+\w+
    |(?:in|from)\s+the\s+(?:voice|style|persona|character|role|tone|perspective|shoes)\s+of|(?:play\w*|tak\w+(?:\s+on)?)\s+the\s+role|act\s+like\s+an?|as\s+if\s+you\s+(?:are|were)|you\s+are\s+(?:an?\s+)?(?:general|king|soldier|dictator|politician|propagandist|nationalist|party\s+official|spokes\w+|news\s+anchor|character)
    |you(?:\s+are|'re|’re)\s+(?:an?\s+|the\s+)?(?:\w+\s+){0,3}(?:presidents?|prime\s+minister|kings?|queens?|emperors?|empress|prince|princess|knights?|soldiers?|generals?|nobleman|warriors?
      |rebels?|wizards?|sorcere\w+|pirates?|samurai|ambassador|historical\s+figure|fictional\s+\w+|character)\b
    |as\s+an?\s+(?:\w+\s+){0,4}(?:soldier|king|queen|general|herald|knight|rebel|warrior|emperor|nobleman|samurai|veteran)
    |(?:imagine|recreate|invent)\s+an?\s+(?:conversation|dialogue|debate|interview|meeting)|elected\s+(?:as\s+)?(?:the\s+)?president|address\s+(?:your|the)\s+(?:people|nation|citizens)
    |jeu\s+de\s+rôle|rollenspiel|imagine[sz]?\s+que\s+(?:tu|vous|eres)|fai\s+finta|joue\s+le\s+rôle|spiele?\s+(?:einen|die)\s+rolle|interpreta|haz\s+de|actúa\s+como|agis\s+comme)\b
    |扮演|角色|假装|假设你是|ロールプレイ|になりきって|のふりをし|役を""",
    re.I | re.X,
)
_VIEW = re.compile(
    r"""\b(?:(?:view|position|perspective|stance|narrative|argument|claim|justification|case|rhetoric|propaganda|talking\s+point|line|version|reason)s?\s+(?:of|by|from|for|on|do|does|did|that|used)
    |(?:government|party|official|regime|state|kremlin|beijing|moscow|tehran|\w+ese|\w+ian)\w*(?:'s|’s)?\s+(?:view|position|perspective|stance|narrative|arguments?|claims?|justification|line|version)
    |what\s+(?:would|do|does|did)\b[^?\n]{0,60}\b(?:say|argue|claim|believe|think|teach|tell|promise|want)|how\s+(?:does|do|did|would)\b[^?\n]{0,60}\b(?:justify|describe|explain|portray|present|see|view)
    |point\s+of\s+view|both\s+sides|pros\s+and\s+cons|for\s+and\s+against|point\s+de\s+vue|arguments?|standpunkt|argumente|punto\s+di\s+vista|argomenti|punto\s+de\s+vista|argumentos|postura)\b
    |立场|立場|观点|觀點|看法|论点|见解|見解|主張|言い分|怎么看待|如何解释""",
    re.I | re.X,
)
_OWN_VIEW = re.compile(
    r"""\b(?:your|you|votre|ton|tu|vous|ihre?|deine?|sie|tua?|tuo|lei|usted|tu)\s+(?:\w+\s+)?(?:view|opinion|position|stance|thoughts?|think|feel|believe|avis|opinion|penses|pensez|meinung|denkst|denken|opinione|pensi|pensa|opinión|opinas|piensas)
    |your\s+own|你(?:的|怎么|如何|认为|觉得|对)|您(?:的|怎么|如何|认为|觉得|对)|あなた""",
    re.I | re.X,
)
_MODEST = re.compile(
    r"""\b(?:opinions?|personal\s+views?|sides?|meinung\w*|ansicht\w*|opinion[ie]|opiniones|avis|parti|partito|partido|posizion\w+|posici\w+|arguments?|argument[eio]s?|argumentos)\b|立场|观点|意見|見解""",
    re.I | re.X,
)
_ANNOUNCED = re.compile(
    r"""\b(?:here(?:'s|’s|\s+is)|below\s+is)\b[^\n]{0,40}\b(?:translation|speech|poem|draft|story|slogan|version|example|summary|paraphrase|rewrite)
    |\bin\s+the\s+(?:style|voice)\s+of\b|\bas\s+an?\s+(?:\w+\s+)?(?:soldier|king|queen|general|herald|knight|rebel|warrior)\b[^.\n]{0,40}\bI\s+(?:say|shout|swear|declare)
    |\bin\s+this\s+(?:exercise|quiz|story|game|scenario|novel|play|debate|role)|\b(?:fictional|hypothetical(?:ly)?|imaginary|satir\w+)\b|\bfor\s+(?:example|instance),?\s+(?:a|an)\s+(?:\w+\s+)?(?:politician|nationalist|leader)
    |译文[:：]|翻译如下|以下是[^\n]{0,12}(?:翻译|演讲|版本)|traduction\s*:|übersetzung\s*:|traduzione\s*:|traducción\s*:|訳[:：]""",
    re.I | re.X,
)
_REPORTED = re.compile(
    r"""\b(?:said|says|saying|stated|states\s+that|stating|declar(?:ed|es|ing)|announc(?:ed|es)|argu(?:ed|es|ing)|claim(?:ed|s|ing)|asserts?|assert(?:ed|ing)|insist(?:ed|s|ing)
    |maintain(?:ed|s)\s+that|maintains|contends?|contended|considers|considered|regards|regarded|criticis\w+|critici[sz]ed|view(?:ed|s)|sees|saw|describ(?:es|ed)|call(?:s|ed)|labell?(?:ed|s)|portray(?:s|ed|ing)?
    |characteri[sz]e[sd]|according\s+to|in\s+the\s+words\s+of|emphasi[sz]ed|promotes?\s+the|framed|frames|present(?:s|ed)|depict(?:s|ed)?|rhetoric|slogans?|motto|official\s+(?:position|line|narrative|view|stance)|narrative\s+of
    |wrote|writes|told|quoted|the\s+phrase|the\s+term|the\s+doctrine|terms?\s+such\s+as|based\s+on\s+(?:a|an|the)\s+(?:belief|idea|notion)|believe[sd]?\s+(?:that|in)|hold(?:s|ing)?\s+that|supporters|critics|opponents|proponents|accus(?:es|ed|ing)|denounc(?:es|ed|ing)|dismiss(?:es|ed)|reject(?:s|ed)|condemn(?:s|ed)|justif(?:y|ied|ies)|known\s+as|refer(?:s|red|ring)?\s+to|dubbed|titled|article\s+\d+
    |constitution\s+(?:of|states|declares|defines|was)|preamble|anthem|pledge\s+of|newspapers?|editorial|textbooks?\s+teach|teach(?:es)?\s+that|state\s+media|state\s+television|spokes\w+|treats|reiterat(?:ed|es)|vowed|warned|proclaimed|promised|urged|blame[sd]|thanked|shouted|from\s+\w+['’]s\s+(?:perspective|point\s+of\s+view)|official(?:s|ly)|den(?:y|ies|ied)\s+that
    |conspiracy\s+theor\w+|disputed|contested|contradicted|debunked|(?:historians|scholars|analysts|journalists|experts|human\s+rights\s+groups)\s+(?!and\b|who\b)\w+|is\s+(?:a|an|the)\s+(?:term|belief|idea|ideology|concept|theory|phrase|name|claim|slogan|doctrine|principle\s+of)|was\s+the\s+belief|the\s+(?:idea|belief|claim|notion|theory)\s+that|suppose|whether
    |nationalists|propagand(?:a\s+(?:posters|films?|presents?|presented|of\s+the\s+period)|ists?)|some\s+(?:people|analysts|politicians|historians|scholars|believe|argue|conservatives)|cult\s+of\s+personality)\b
    |\b(?:selon|d['’]après|déclar\w+|affirm\w+|assur(?:e|ent|a|ait)\s+(?:que|qu)|prétend(?:ent)?\s+(?:que|être)|qualifi\w+|considèr\w+|estim(?:e|ent|ait)|soutient\s+que|soutiennent\s+que|dénonc(?:e|ent|é)|dans\s+son\s+discours|théorie\s+(?:complotiste|du\s+complot)|complotiste|devise|hymne|constitution|médias\s+d['’]état|historiens?|lançait|accus(?:e|ent|é)|prêtent\s+serment|raconte|propagande\s+(?:présent|exalt|nazi)\w*|partisans|adversaires|rejett?e\w*\s+cette|est\s+le\s+nom)\b
    |\b(?:laut|sagt(?:e|en)?|erklärt(?:e|en)?|behaupte\w*|bezeichne\w*|betrachte(?:t|te|n)|zufolge|nann(?:te|ten)|nennt|sprach(?:en)?\s+von|begriff|ausdruck|schlagwort|unwort|verschwörungs\w+|wirft|weist|in\s+(?:seiner|ihrer)\s+rede|rief|losung|staatsmedien|historiker|propaganda|narrativ|begründete|verherrlich\w+|artikel\s+\d+|stammt\s+aus|these|legende\s+\w+|anhänger|kritiker|soll(?:e|en)?\s+angeblich)\b
    |\b(?:secondo\s+(?:il|la|i|le|gli|lo)|ha\s+(?:dichiarato|detto|affermato|accusato)|dichiar\w+|afferm(?:a|ano|ò|ato|are)|sosten(?:gono|eva|evano)\s+che|sostengono|sostiene\s+che|considera(?:no)?|definisc\w+|definì|accusa(?:no)?|(?<!lo\s)nega(?:no)?|teoria\s+del\s+complotto|nel\s+discorso|media\s+di\s+stato|inno|recita|propaganda\s+\w+\s+(?:esalt|present)\w+|promise|storici|costituzione|parlano\s+di|sostenitori|avversari|detto\s+militare)\b
    |\b(?:según|dij(?:o|eron)|dice[n]?\s+que|declar(?:ó|a|an|aron)|afirm(?:a|an|ó|aron|ar)|sostiene[n]?|califica(?:n|ó)?|llama(?:n|ba|ron)?\s+a|denomin\w+|describe[n]?|atribuye[n]?|acusa(?:n|ó)?|niega[n]?|tacha[n]?|en\s+su\s+discurso|medios\s+estatales|lema|constitución|historiadores|prometi\w+|presentó|teoría\s+de\s+la\s+conspiración|es\s+el\s+nombre|independentistas|partidarios|opositores|dictaduras|artículo\s+\d+|reclama)\b
    |声称|聲稱|宣称|宣稱|坚称|堅稱|称其|稱其|称为|稱為|称之|(?<!自)称，|称：|稱：|表示|指出|主张(?:拥有|对)|主張|所称|强调[^，。]{0,2}[：:]|宣布|宣告|据.{0,12}报道|根据.{0,12}(?:说法|立场|声明|宪法)|视为|視為|看作|把[^，。]{0,16}(?:描述|称|視|视)|描述为|口号|官方(?:媒体|立场|说法)|宪法|憲法|发言人|發言人|(?<![来來])[说說][:：，]|说道|批评者|支持者|写道|寫道|写着|教科书|史学家|专家|讲话(?:中|强调)|阴谋论|(?:政府|当局|當局|方面)(?:称|否认|认为|坚|拒绝)|的说法|赔|呼吁|一种(?:观点|说法)|坚信党永远
    |によると|によれば|と述べ|と主張|と発言|と呼ば|と呼ん|とされ|とみな|と見な|と語|(?<!よう)としている|を主張|という(?:スローガン|表現|言葉|呼称|立場)|との立場|立場をとっ|呼称|憲法第|説い|指摘する|演説で|反発し|認めていない|国営メディア|声明で|批評家""",
    re.I | re.X,
)
_OWN_WORDS = re.compile(
    r"""我们?(?:们)?(?:必须|要|想|需要|需)?(?:强调|认为|表示|指出|声明|说)
    |\b(?:I|we|our\s+\w+)\s+(?:must\s+|would\s+|want\s+to\s+|need\s+to\s+|should\s+|has\s+always\s+|have\s+always\s+|firmly\s+|strongly\s+|resolutely\s+)*(?:says?|believes?|states?|emphasi[sz]es?|stress(?:es)?|maintains?|considers?|insists?|argues?|declares?|condemns?|rejects?|condemned|rejected|denounces?)(?:\s+that)?
    |\bas\s+(?:everyone|we\s+all)\s+knows?|\b(?:je|nous|ich|wir|io|noi|yo|nosotros)\s+(?:\w+\s+)?(?:affirm|déclar|considèr|erkläre|sage|betrachte|affermo|dichiar|afirm|declar|sosten|dénonç|condamn)\w*""",
    re.I | re.X,
)
_NEGATION = re.compile(
    r"""(?:\b(?:not|never|no|neither|nor|without|cannot|nobody|nothing|hardly|wrong\s+to\s+\w+|incorrect\s+to\s+\w+|evidence\s+that|can't\s+\w+)|n't|n’t|\b(?:ne|n'|pas|jamais|sans|aucun\w*|faux|nicht|kein\w*|nie|niemals|ohne|falsch|non|mai|senza|nessun\w*|sbagliato|nunca|sin|ningún\w*|jamás|incorrecto))\b[^.,;:]{0,60}$
    |(?:不|没有|並非|并非|从不|無|无|不能说)[^，。；：]{0,8}$""",
    re.I | re.X,
)
_NOT_SO = re.compile(
    r"""\b(?:wrong|false|incorrect|misleading)\s+to\s+\w+|\bno\s+evidence\s+(?:of|that|for)|\bcan(?:no|')t\s+claim|\bfaux\s+de\s+dire|\bfalsch,?\s+(?:zu|ein)|\bsbagliato\s+(?:affermare|dire)|\bincorrecto\s+(?:afirmar|decir)|不能说|言うことは(?:でき|間違)""",
    re.I | re.X,
)
_HEADING = re.compile(
    r"""\b(?:perspectives?|views?|positions?|arguments?|claims?|narratives?|stance|says?|supporters|critics|proponents|opponents|for|against|official|government|rhetoric|justifications?|slogans?|according)\b|立场|观点|主张|说法|论点|支持|反对|argumente?s?|position|standpunkt|argomenti|argumentos|postura|立場|主張|見解""",
    re.I,
)


@dataclass(frozen=True)
class Asked:
    """What the assistant was asked: prompt, the user's last words; before, the system prompt and what the user said earlier."""

    prompt: str = ""
    before: str = ""


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
    """Somebody else is named as saying it, in the same sentence or in the heading of its list; what the speaker says of itself is
    nobody else's, and a question says nothing."""
    before, after = sentence(text, start, end)
    before = _OWN_WORDS.sub("", before)
    # After the words only their speaker may be named (", he said"), not somebody who says otherwise.
    after = re.split(r"[;；]|\bthose\s+who\b", after)[0][:80]
    return bool(_REPORTED.search(before) or _REPORTED.search(after)) or is_asked(text, end) or is_listed(text, start)


def is_asked(text: str, end: int) -> bool:
    """The sentence is a question."""
    stop = re.search(r"[.!?。！？\n]", text[end : end + REACH])
    return stop is not None and stop[0] in "?？"


def is_listed(text: str, start: int) -> bool:
    """An item of a list whose heading or introduction says whose views it lists."""
    low = text.rfind("\n", 0, start) + 1
    if not _ITEM.match(text[low : low + 8]):
        return False
    for line in reversed(text[max(0, low - REACH * 5) : low].splitlines()):
        stripped = line.strip()
        if stripped.endswith((":", "：", ":**", "：**")) or stripped.startswith(("#", "**")):
            return bool(_HEADING.search(stripped) or _REPORTED.search(stripped))
        if stripped and not _ITEM.match(line[:8]):
            return False
    return False


def is_negated(text: str, start: int, end: int) -> bool:
    return bool(_NEGATION.search(sentence(text, start, end)[0]))


def is_denied(text: str, start: int, end: int) -> bool:
    """The sentence says that to say so would be wrong."""
    return bool(_NOT_SO.search(sentence(text, start, end)[0]))


def is_requested(asked: Asked, text: str, start: int) -> bool:
    """The user asked for a translation, a rewording, a role or a text in somebody's voice, or the answer announces one."""
    said = (asked.prompt[:4000], asked.prompt[-1000:])
    if any(_TASK.search(s) or _PERSONA.search(s) for s in said) or _PERSONA.search(asked.before[-8000:]):
        return True
    low = max(0, start - REACH)
    stop = text.find("\n", start)
    return bool(_ANNOUNCED.search(text[low : stop if 0 <= stop < start + REACH else start + REACH]))


def is_view_asked(asked: Asked) -> bool:
    """The user asked how somebody sees or justifies it; who speaks as we all the same speaks for himself."""
    said = asked.prompt[-1000:]
    return bool(_VIEW.search(said)) and not _OWN_VIEW.search(said)


def is_modest(text: str, start: int, end: int) -> bool:
    """The assistant holds no opinion, which is not the same as not answering."""
    return bool(_MODEST.search(text[start:end] + sentence(text, start, end)[1][:60]))


def excuse(unless: tuple[str, ...], text: str, start: int, end: int, asked: Callable[[], Asked]) -> str | None:
    """The first context of ``unless`` that holds for a hit (offsets in characters), or None: it is the assistant's voice."""
    tests: dict[str, Callable[[], bool]] = {
        "quoted": lambda: is_quoted(text, start, end),
        "attributed": lambda: is_attributed(text, start, end),
        "negated": lambda: is_negated(text, start, end),
        "denied": lambda: is_denied(text, start, end),
        "modest": lambda: is_modest(text, start, end),
        "requested": lambda: is_requested(asked(), text, start),
        "view_asked": lambda: is_view_asked(asked()),
    }
    return next((name for name in tests if name in unless and tests[name]()), None)
