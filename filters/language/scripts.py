"""Writing systems: which one each letter belongs to, and what a count of letters by script says of a text.

The table is made from what Python knows: scripts from the Unicode names, simplified and traditional Chinese from the two
character sets that were made for them. A character that GB 2312 has and Big5 has not is a simplified one, and the other way round;
most characters are in both and say nothing.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

_NAMES = (
    "GREEK:Grek CYRILLIC:Cyrl ARMENIAN:Armn HEBREW:Hebr ARABIC:Arab SYRIAC:Syrc THAANA:Thaa DEVANAGARI:Deva BENGALI:Beng "
    "GURMUKHI:Guru GUJARATI:Gujr ORIYA:Orya TAMIL:Taml TELUGU:Telu KANNADA:Knda MALAYALAM:Mlym SINHALA:Sinh THAI:Thai LAO:Laoo "
    "TIBETAN:Tibt MYANMAR:Mymr GEORGIAN:Geor ETHIOPIC:Ethi KHMER:Khmr MONGOLIAN:Mong CHEROKEE:Cher TIFINAGH:Tfng NKO:Nkoo"
)
_OTHERS = dict(pair.split(":") for pair in _NAMES.split())
SCRIPTS = ("", "Latn", "Hani", "Hans", "Hant", "Yue", "Kana", "Hang", *_OTHERS.values())
"""ISO 15924 codes, by number; Hans/Hant: characters of one Chinese orthography only; Yue: characters of written Cantonese only."""
LATIN, HAN, HANS, HANT, YUE, KANA, HANGUL, GREEK = 1, 2, 3, 4, 5, 6, 7, 8
CHINESE, JAPANESE, KOREAN = (HAN, HANS, HANT), KANA, HANGUL
"""What ``number`` gives for texts in these languages' mixtures of scripts."""
_MIXTURES = {HAN: "Hani", KANA: "Jpan", HANGUL: "Kore", 0: None}

_WRITTEN = (
    "Latn:en,fr,de,it,es,pt,nl,ca,gl,oc,ast,an,ro,pl,cs,sk,sl,hr,hu,fi,et,lv,lt,sv,da,no,nb,nn,is,tr,vi,id,ms,tl,eu,sq,cy,ga,gd,mt,af,"
    "la,eo,sw,co,sc,lb,nds,sco Hani,Hans,Hant:zh,yue,wuu,lzh Jpan:ja Kore:ko Cyrl:ru,uk,be,bg,mk,ba,tt,cv,os,ce,sah "
    "Cyrl,Mong:mn Cyrl,Latn,Arab:kk,ky,uz,az,tg,tk Cyrl,Latn:sr,bs,sh Arab:ar,fa,ps,ug,arz,ckb,azb,mzn,pnb Arab,Deva:ur,sd,ks Grek:el "
    "Hebr:he,yi Armn:hy Geor:ka,xmf Deva:hi,mr,ne,sa,mai,bh Beng:bn,as,bpy Guru,Arab:pa Gujr:gu Orya:or Taml:ta Telu:te Knda:kn Mlym:ml "
    "Sinh:si Thai:th Laoo:lo Tibt:bo,dz Mymr:my Ethi:am,ti Khmr:km Thaa:dv"
)
"""Scripts of the languages for which they are beyond doubt; others may be in any that is not one language's own."""

_CANTONESE = "嘅咗喺唔佢哋嚟啲冇嗰咁嘢噉攞嗌瞓諗搵畀㗎嘞啱喎睇嘥冧嗱"
CANTONESE_SHARE = 0.02
"""Of the ideographs. Written Cantonese has some 10 %, a Chinese text that quotes some is far below."""
_JAPANESE_SHARE = 0.1
"""Kana among ideographs and kana from which on the script is Japanese."""


@cache
def table() -> np.ndarray:
    """uint8[65536]: number of the script of each letter of the basic plane, 0 for what is no letter."""
    out = np.zeros(1 << 16, np.uint8)
    number = {name: SCRIPTS.index(code) for name, code in _OTHERS.items()}
    number |= {"LATIN": LATIN, "CJK": HAN, "HIRAGANA": KANA, "KATAKANA": KANA, "HANGUL": HANGUL}
    for point in range(128, 1 << 16):
        character = chr(point)
        if unicodedata.category(character)[0] == "L":
            out[point] = number.get(unicodedata.name(character, "").split(" ")[0].split("-")[0], 0)
    for point in np.flatnonzero(out == HAN).tolist():
        simplified, traditional = _in(chr(point), "gb2312"), _in(chr(point), "big5")
        out[point] = HAN if simplified == traditional else HANS if simplified else HANT
    out[[ord(c) for c in _CANTONESE]] = YUE
    out[0x30FC] = KANA  # the mark of a long vowel
    return out


def _in(character: str, charset: str) -> bool:
    try:
        return bool(character.encode(charset))
    except UnicodeEncodeError:
        return False


def merged(letters: np.ndarray) -> np.ndarray:
    """Letters by script with all Chinese characters under Hani."""
    out = letters.copy()
    out[:, HAN] = letters[:, HAN : YUE + 1].sum(axis=1)
    out[:, [0, HANS, HANT, YUE]] = 0
    return out


def weighed(letters: np.ndarray) -> np.ndarray:
    """An ideograph, kana or syllable says as much as three letters."""
    return letters * np.where(np.isin(np.arange(len(SCRIPTS)), (HAN, HANS, HANT, YUE, KANA, HANGUL)), 3, 1)


def number(letters: np.ndarray) -> np.ndarray:
    """The number of each text's script, from its letters by script; 0 where it has none."""
    chinese_as_one = merged(letters)
    weight = weighed(chinese_as_one)
    kana, hangul = chinese_as_one[:, KANA], weight[:, HANGUL]
    weight[:, HAN] += weight[:, KANA]
    weight[:, KANA] = 0
    out = np.where(weight.any(axis=1), weight.argmax(axis=1), 0)
    ideographic = out == HAN
    out[ideographic & (letters[:, HANS] > letters[:, HANT])] = HANS
    out[ideographic & (letters[:, HANT] > letters[:, HANS])] = HANT
    out[ideographic & (kana > _JAPANESE_SHARE * (chinese_as_one[:, HAN] + kana))] = JAPANESE
    out[hangul > weight.sum(axis=1) / 2] = KOREAN
    return out


def name(numbers: np.ndarray) -> np.ndarray:
    """ISO 15924, with ``Jpan``, ``Kore``, ``Hans`` and ``Hant`` for those mixtures; None for 0."""
    return np.array([_MIXTURES.get(i, code) for i, code in enumerate(SCRIPTS)], object)[numbers]


def own(letters: np.ndarray) -> np.ndarray:
    """bool[n, scripts]: scripts that a text in the main script of each row may hold; Latin and Greek always may stand there."""
    each = np.eye(len(SCRIPTS), dtype=bool)
    each[:, [LATIN, GREEK]] = True
    each[[HAN, HANS, HANT, JAPANESE, KOREAN], HAN] = True
    return each[number(letters)]


@cache
def _scripts_of() -> dict[str, list[int]]:
    each: dict[str, list[int]] = {}
    numbers = {name: i for i, name in enumerate(SCRIPTS)} | {"Jpan": JAPANESE, "Kore": KOREAN}
    for entry in _WRITTEN.split():
        names, codes = entry.split(":")
        each |= {code: [numbers[n] for n in names.split(",")] for code in codes.split(",")}
    return each


def written(code: str) -> np.ndarray:
    """bool[scripts]: the scripts (as ``number`` gives them) that a language is written in."""
    known = _scripts_of()
    if code in known:
        return np.isin(np.arange(len(SCRIPTS)), known[code])
    return ~np.isin(np.arange(len(SCRIPTS)), (*CHINESE, JAPANESE, KOREAN))


def cantonese(letters: np.ndarray) -> np.ndarray:
    """bool[n]: whether Chinese of these letters is written Cantonese."""
    han = letters[:, HAN : YUE + 1].sum(axis=1)
    return letters[:, YUE] > CANTONESE_SHARE * han


def by_letter(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The script of each character (Chinese as one), and the byte that each begins at, with the end after the last."""
    point = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    script = np.where(point < 1 << 16, table()[point & 0xFFFF], np.where(point >> 16 == 2, HAN, 0))
    width = 1 + (point >= 0x80).astype(np.int64) + (point >= 0x800) + (point >= 1 << 16)
    return np.where((script >= HAN) & (script <= YUE), HAN, script), np.concatenate([[0], np.cumsum(width)])
