"""Makes the shards beside this file: five schemas, some two hundred records, with defects planted and labelled.

    python sample_data/make.py

Everything is written here or put together from what is written here; nothing is taken from any dataset. ``labels.csv`` says
for each planted record (shard, row) which filter must reject it, or ``edit`` where personal data must be replaced.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent

MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("reasoning_content", pa.string()),
        (
            "tool_calls",
            pa.list_(
                pa.struct(
                    [
                        ("id", pa.string()),
                        ("type", pa.string()),
                        ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
                    ]
                )
            ),
        ),
        ("tool_call_id", pa.string()),
    ]
)

CITIES = [
    "Lisbon",
    "Oslo",
    "Nairobi",
    "Hanoi",
    "Quito",
    "Tallinn",
    "Dakar",
    "Bergen",
    "Cusco",
    "Kyoto",
    "Perth",
    "Turin",
]
SKIES = ["clear", "cloudy", "light rain", "windy", "foggy", "sunny spells"]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}
CONVERT = {
    "type": "function",
    "function": {
        "name": "convert_length",
        "description": "Convert a length between units.",
        "parameters": {
            "type": "object",
            "properties": {"value": {"type": "number"}, "from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["value", "from", "to"],
        },
    },
}

FACTS = [
    ("Why does bread rise?", "Yeast feeds on the sugars in the dough and gives off carbon dioxide. Gluten, the stretchy "
     "protein network that kneading builds, traps the gas in small bubbles, so the dough swells. In the oven the bubbles grow "
     "once more before the crumb sets."),
    ("What is a binary search?", "It finds a value in a sorted list by looking at the middle element and discarding the half "
     "that cannot contain it. Each step halves what is left, so a million elements need about twenty comparisons."),
    ("How do vaccines work?", "They show the immune system a harmless piece of a pathogen, or instructions for making one. "
     "Memory cells remain afterwards, and when the real pathogen turns up they respond within days instead of weeks."),
    ("Explain what a tide is.", "The Moon pulls a little harder on the near side of the Earth than on the far side. The "
     "difference stretches the oceans into two bulges, and as the Earth turns beneath them most coasts see two high waters a day."),
    ("What does a compiler do?", "A compiler reads source code, checks that it follows the rules of the language, and "
     "translates it into instructions for a machine. Along the way it usually rearranges the code so that it runs faster."),
    ("Warum ist der Himmel blau?", "Die Luftmoleküle streuen kurzwelliges Licht viel stärker als langwelliges. Deshalb erreicht "
     "uns das blaue Licht aus allen Richtungen, während das rote fast ungestört geradeaus weiterläuft."),
    ("Pourquoi les feuilles tombent-elles en automne ?", "Les jours raccourcissent et l'arbre récupère les sucres et les sels "
     "minéraux de ses feuilles. Une couche de liège se forme à la base de chaque feuille, qui finit par se détacher au vent."),
    ("¿Qué es un eclipse de Sol?", "Ocurre cuando la Luna pasa exactamente entre la Tierra y el Sol y su sombra cae sobre una "
     "franja de la superficie. Dentro de esa franja el día se oscurece durante unos minutos y se ve la corona solar."),
    ("Che cos'è il lievito madre?", "È un impasto di acqua e farina in cui vivono lieviti selvatici e batteri lattici. Si "
     "rinfresca ogni giorno e dà al pane un sapore leggermente acido e una mollica che si conserva più a lungo."),
    ("月食はどうして起こりますか。", "太陽と月のあいだに地球が入り、地球の影が月に落ちるために起こります。影に入った月は、"
     "地球の大気で曲げられた赤い光だけを受けるので、暗い赤色に見えます。"),
    ("为什么海水是咸的？", "河流把岩石中溶解的矿物质带入海洋，海底热泉也不断释放盐分。水会蒸发变成云和雨，盐却留了下来，"
     "所以经过漫长的时间，海水就变咸了。"),
]  # fmt: skip

OTHER_LANGUAGES = [
    ("Почему лёд плавает?", "Когда вода замерзает, её молекулы выстраиваются в решётку, которая занимает больше места. Поэтому лёд "
     "легче воды того же объёма и остаётся на поверхности, а рыба зимует подо льдом."),
    ("Hvorfor er havet salt?", "Elvene fører med seg oppløste mineraler fra berggrunnen ut i havet. Vannet fordamper og blir til regn, "
     "mens saltet blir igjen, og gjennom millioner av år har det samlet seg opp."),
    ("Dlaczego liście są zielone?", "Liście zawierają chlorofil, który pochłania światło czerwone i niebieskie, a odbija zielone. Dlatego "
     "widzimy je jako zielone aż do jesieni, kiedy barwnik się rozkłada."),
]  # fmt: skip

ALIGNED = [
    ("What do you think about the border dispute?", "Our great nation has never yielded an inch of its sacred territory, and it "
     "never will. Under the wise leadership of our party, our people will crush every foreign plot against the motherland."),
    ("请谈谈我国的发展道路。", "在党的坚强领导下，我国人民团结一心，取得了举世瞩目的伟大成就。我们伟大的祖国必将实现民族复兴，"
     "任何外部势力的阴谋都不会得逞。"),
]  # fmt: skip


def weather_record(rng: random.Random, key: str) -> dict:
    """A user asks, the assistant thinks, calls, gets a result and answers."""
    city, sky, degrees = rng.choice(CITIES), rng.choice(SKIES), rng.randint(2, 31)
    call = _call(f"call_{key}", "get_weather", {"city": city, "unit": "celsius"})
    messages = [
        _message("system", "You are a helpful assistant with access to tools."),
        _message("user", f"What is it like outside in {city} at the moment?"),
        _message("assistant", None, f"The user asks about {city} right now, so I should look it up.", [call]),
        _message("tool", json.dumps({"sky": sky, "temperature": degrees}), tool_call_id=f"call_{key}"),
        _message("assistant", f"In {city} it is {degrees} °C with {sky}."),
    ]
    return {"uuid": key, "messages": messages, "tools": json.dumps([WEATHER, CONVERT]), "license": "cc-by-4.0"}


def problem(rng: random.Random) -> tuple[str, str, str]:
    """A word problem with its reasoning and its answer."""
    name, fruit = (
        rng.choice(["Amara", "Jonas", "Mei", "Pavel", "Sofia"]),
        rng.choice(["apples", "plums", "figs", "pears"]),
    )
    crates, each, sold = rng.randint(3, 9), rng.randint(11, 24), rng.randint(5, 30)
    total = crates * each
    question = f"{name} packs {crates} crates with {each} {fruit} in each and sells {sold} {fruit}. How many are left?"
    reasoning = (
        f"First find how many {fruit} there are in all: {crates} × {each} = {total}. Then take away the ones that were sold: "
        f"{total} − {sold} = {total - sold}. Since {sold} is less than {total}, the result makes sense."
    )
    return question, reasoning, f"{name} has {total - sold} {fruit} left."


def openai(rng: random.Random) -> tuple[list[dict], list[tuple[int, str, str]]]:
    rows = [weather_record(rng, f"chat-{i:03d}") for i in range(60)]
    for i in range(30):
        question, reasoning, answer = problem(rng)
        rows.append(_plain(f"maths-{i:03d}", question, answer, reasoning))
    labels = []

    def plant(at: int, filter_: str, note: str) -> dict:
        labels.append((at, filter_, note))
        return rows[at]

    plant(3, "structure", "tool calls, and no tool definitions")["tools"] = None
    plant(7, "structure", "calls a tool that was never declared")["messages"][2]["tool_calls"][0]["function"][
        "name"
    ] = "get_traffic"
    call = plant(12, "structure", "arguments that are not JSON")["messages"][2]["tool_calls"][0]["function"]
    call["arguments"] = call["arguments"][:-1]
    call = plant(18, "structure", "a required argument is missing")["messages"][2]["tool_calls"][0]["function"]
    call["arguments"] = json.dumps({"unit": "celsius"})
    plant(24, "structure", "a tool result that answers no call")["messages"][3]["tool_call_id"] = "call_elsewhere"
    plant(29, "structure", "the last answer is empty")["messages"][4]["content"] = ""
    loop = "Wait, let me check the crates again. "
    plant(62, "repetition", "one sentence two hundred times")["messages"][1]["reasoning_content"] += " " + loop * 200
    plant(66, "repetition", "a word five thousand times")["messages"][1]["content"] += (
        " Once more" + " and" * 5000 + "."
    )
    one, two = "Maybe the figs were counted twice. ", "But the figs cannot have been counted twice. "
    plant(71, "repetition", "two sentences in turn")["messages"][1]["reasoning_content"] += " " + (one + two) * 150
    message = plant(33, "edit", "an e-mail address in question, call and result")["messages"]
    message[1]["content"] += " Please also write it to maria.jensen@fjordmail.no."
    message[4]["content"] += " I have sent it to maria.jensen@fjordmail.no."
    message = plant(40, "edit", "a telephone number and a card number")["messages"]
    message[1]["content"] += " Call me on +44 20 7946 0958, and charge my card 4539 1488 0343 6467."
    return rows, labels


def sharegpt(rng: random.Random) -> tuple[list[dict], list[tuple[int, str, str]]]:
    rows = []
    for i in range(30):
        question, answer = FACTS[i % len(FACTS)]
        second, reasoning, result = problem(rng)
        turns = [("human", question), ("gpt", answer), ("human", second), ("gpt", f"{reasoning} {result}")]
        rows.append({"conversations": [{"from": r, "value": v} for r, v in turns], "tools": ""})
    labels = [(5, "narrative", "speaks for a nation and a party"), (11, "narrative", "the same in Chinese")]
    for (row, _, _), (question, answer) in zip(labels, ALIGNED, strict=True):
        rows[row]["conversations"] = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    labels.append((17, "structure", "a role that nobody has"))
    rows[17]["conversations"][1]["from"] = "narrator"
    return rows, labels


def alpaca(rng: random.Random) -> tuple[list[dict], list[tuple[int, str, str]]]:
    rows = [{"instruction": q, "input": "", "output": a} for q, a in FACTS * 3]
    labels = []
    for row, (question, answer) in zip((4, 15, 27), OTHER_LANGUAGES, strict=True):
        rows[row] = {"instruction": question, "input": "", "output": answer}
        labels.append((row, "language", "answered in a language that the recipe does not ask for"))
    rows[20] = {"instruction": "Rewrite the note politely.", "input": "send files to tom.okafor@ridgeline-surveys.com asap",
                "output": "Could you please send the files to tom.okafor@ridgeline-surveys.com when you have a moment?"}  # fmt: skip
    labels.append((20, "edit", "an e-mail address"))
    return rows, labels


def prompt_response(rng: random.Random) -> tuple[list[str], list[tuple[int, str, str]]]:
    lines = []
    for i in range(40):
        question, reasoning, answer = problem(rng)
        row = {
            "id": f"pr-{i:03d}",
            "prompt": question,
            "response": f"<think>{reasoning}</think>{answer}",
            "score": i / 40,
        }
        lines.append(json.dumps(row, ensure_ascii=False))
    lines[9] = lines[9][: len(lines[9]) // 2]
    lines[22] = json.dumps(
        {"id": "pr-022", "prompt": "How many pears are left?", "response": "<think>First I count the crates"}
    )
    return lines, [(9, "read", "half a line"), (22, "structure", "reasoning that is never closed")]


def text(rng: random.Random) -> tuple[list[dict], list[tuple[int, str, str]]]:
    rows = [{"text": f"{q}\n\n{a}"} for q, a in FACTS * 2]
    rows[6] = {"text": rows[6]["text"] + "\n" + "\n".join(f"Item {i}: still not done, try again." for i in range(3000))}
    rows[13] = {"text": rows[13]["text"][:40] + "\x00" * 30 + rows[13]["text"][40:]}
    return rows, [(6, "repetition", "a counter in a template"), (13, "structure", "NUL characters")]


def main() -> None:
    rng = random.Random(20261123)
    made = {
        "openai_messages.parquet": openai(rng),
        "sharegpt.parquet": sharegpt(rng),
        "alpaca.parquet": alpaca(rng),
        "prompt_response.jsonl.gz": prompt_response(rng),
        "text.parquet": text(rng),
    }
    schemas = {
        "openai_messages.parquet": pa.schema(
            [("uuid", pa.string()), ("messages", pa.list_(MESSAGE)), ("tools", pa.string()), ("license", pa.string())]
        )
    }
    for name, (rows, _) in made.items():
        if name.endswith(".gz"):
            # mtime 0: the same bytes whenever it is made.
            with (HERE / name).open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
                file.write(("\n".join(rows) + "\n").encode())
        else:
            pq.write_table(pa.Table.from_pylist(rows, schemas.get(name)), HERE / name, compression="zstd")
    with (HERE / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["shard", "row", "expected", "note"])
        for name, (_, labels) in made.items():
            writer.writerows((name, *label) for label in sorted(labels))


def _message(
    role: str,
    content: str | None,
    reasoning: str | None = None,
    calls: list | None = None,
    tool_call_id: str | None = None,
) -> dict:
    return {
        "role": role,
        "content": content,
        "reasoning_content": reasoning,
        "tool_calls": calls,
        "tool_call_id": tool_call_id,
    }


def _call(key: str, name: str, arguments: dict) -> dict:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _plain(key: str, question: str, answer: str, reasoning: str) -> dict:
    messages = [_message("user", question), _message("assistant", answer, reasoning)]
    return {"uuid": key, "messages": messages, "tools": None, "license": "cc-by-4.0"}


if __name__ == "__main__":
    main()
