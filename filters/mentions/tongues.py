"""Which language's words a hit may be, from the function words around it.

A text need not be in one language (a translation and its source), so a model's guess for the record would not do; and a guess
by fastText for every stretch with a hit would cost more than finding the hits. Function words are the most frequent words
of each language (Zipf's head) that tell at least some of these five apart.
"""

from __future__ import annotations

import numpy as np

from filters.mentions import kernels
from filters.mentions.forms import open_table

LATIN = ("en", "fr", "de", "it", "es")
"""Languages told apart by function words; a bit each, in this order. The bits after them: ja, then zh."""
JAPANESE = len(LATIN)
BITS = {**{name: 1 << i for i, name in enumerate(LATIN)}, "ja": 1 << JAPANESE, "zh": 1 << (JAPANESE + 1)}

WORDS = {
    "en": """the of and to is that was with for it this are have from you not they what we an has were will my or
        by as at be his her she he i your can their there which who how if when would about all but one so been had do
        does did in on out up more than them our its me some any into am a""",
    "fr": """le la les des est une et du dans qui pour pas sur au avec ce il elle vous nous sont je cette ses son
        sa leur aux mais été que un de en se ne plus par ont fait tout comme ou où si d l qu c j n à être avait était
        très combien quel quelle lui mon ma mes deux elles ils chaque tous a leurs vos nos votre notre lorsque aussi
        bien même sous vers chez""",
    "de": """der die das und ist nicht ein eine den von zu mit dem des sich auf für er sie es ich im auch wird
        einen einer hat in als aus bei sind war wie an oder nach wenn ihr ihre sein seine wir haben kann mehr noch nur
        über was wer wurde einem man zum zur viele pro jeder insgesamt am vom beim ihren ihrem seinen seiner dort hier ja
        nein doch werden wurden immer schon dass weil""",
    "it": """il di che è un una per non con del della sono gli nel alla più ha i le dei si anche lo la e in da al
        dal dalla delle nella ma come se suo sua suoi chi quanti quante quanto ho hanno era questo questa mi ci ogni l a d
        dell all nell dall sull sul sulla mio mia loro anni qui ti vi io tu noi quella quel agli degli""",
    "es": """el los las que y en un una por con del se para es su al lo como más está fue la de no le sus este esta
        o si ha muy sin sobre son entre cuando todo ser tiene también hasta hay donde quien desde nos ni yo él cada
        cuántos cuántas cuánto a mi tu ella ellos unos unas ese esa estos""",
}


def table() -> tuple[np.ndarray, np.ndarray]:
    """From a function word's hash to the languages that have it, as bits; see ``forms.open_table``."""
    found: dict[int, int] = {}
    for name, words in WORDS.items():
        for word in words.split():
            data = np.frombuffer(word.encode(), np.uint8)
            key = int(kernels.first_key(data, 0, len(data)))
            found[key] = found.get(key, 0) | BITS[name]
    return open_table(found)
