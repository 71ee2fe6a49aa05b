"""Whether a prompt asks for another language: it speaks of translating, or names the language.

Only looked for in prompts whose answer is in another language than they are, or holds another script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

ENDS = 1500
"""Characters at either end of a text that are searched: that is where one says what one wants."""

_TRANSLATE = (
    r"\b(?:translat|traduc|tradui|traduz|tradott|übersetz|uebersetz|переве|перевод|another language)"
    r"|翻[译譯訳]|訳し|译[成为]|譯[成為]"
)

# Names in the languages of the card: en de fr it es, then Japanese and Chinese. A Latin one is the beginning of a word.
_NAMES = {
    "en": "english englisch anglais inglese inglés ingles 英語 英语 英文",
    "fr": "french französisch francais français francese francés 法语 法語 法文 フランス語",
    "de": "german deutsch allemand tedesc alemán 德语 德語 德文 ドイツ語",
    "it": "italian italien 意大利语 意大利語 義大利語 意大利文 イタリア語",
    "es": "spanish spanisch espagnol spagnol español castilian castellano 西班牙语 西班牙語 西班牙文 スペイン語",
    "ja": "japanese japanisch japonais giapponese japonés kanji hiragana katakana romaji 日语 日語 日文 日本語",
    "zh": "chinese chinesisch chinois cinese mandarin cantonese hanzi pinyin 中文 汉语 漢語 普通话 國語 国语 汉字 漢字 中国語",
    "pt": "portugu portogh 葡萄牙语 葡萄牙語 ポルトガル語",
    "ru": "russian russisch russe russo ruso cyrillic 俄语 俄語 俄文 ロシア語",
    "uk": "ukrain ucrain ucran 乌克兰语 烏克蘭語 ウクライナ語",
    "ar": "arabic arabisch arabe arabo árabe 阿拉伯语 阿拉伯語 アラビア語",
    "fa": "persian persisch persan farsi 波斯语 波斯語 ペルシャ語",
    "he": "hebrew hebräisch hébreu ebraic hebreo 希伯来语 希伯來語 ヘブライ語",
    "ko": "korean koreanisch coréen coreano hangul hangeul 韩语 韓語 韩文 韓文 朝鲜语 韓国語",
    "hi": "hindi devanagari sanskrit 印地语 印地語 ヒンディー語",
    "th": "thai thaï tailand 泰语 泰語 タイ語",
    "nl": "dutch niederländisch néerlandais olandes neerland holand 荷兰语 荷蘭語 オランダ語",
    "pl": "polish polnisch polonais polacc polaco 波兰语 波蘭語 ポーランド語",
    "sv": "swedish schwedisch suédois svedes sueco 瑞典语 瑞典語 スウェーデン語",
    "tr": "turkish türkisch turc turco 土耳其语 土耳其語 トルコ語",
    "vi": "vietnames vietnamita vietnamien 越南语 越南語 ベトナム語",
    "id": "indonesia malay malai 印尼语 印尼語 马来语 馬來語 インドネシア語",
    "la": "latin 拉丁语 拉丁語 ラテン語",
}
SCRIPT_LANGUAGES = {
    "Hani": ("zh", "ja", "ko"), "Kana": ("ja",), "Hang": ("ko",), "Cyrl": ("ru", "uk"), "Arab": ("ar", "fa"), "Hebr": ("he",),
    "Deva": ("hi",), "Thai": ("th",),
}  # fmt: skip
"""Whose names explain letters of a script."""


@cache
def _pattern(codes: tuple[str, ...]) -> re.Pattern[str]:
    names = [name for code in codes for name in _NAMES.get(code, "").split()]
    return re.compile("|".join([_TRANSLATE, *(rf"\b{n}" if n[0] < "ⱀ" else n for n in names)]))


def asks_for(texts: Iterable[str], codes: tuple[str, ...]) -> bool:
    """Whether one of the texts speaks of translating, or names one of these languages."""
    search = _pattern(codes).search
    return any(search(piece.lower()) for text in texts for piece in {text[:ENDS], text[-ENDS:]})
