"""How a guard model is asked and what its answers mean, as configuration: one YAML file a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import orjson

from filters.contract import ConfigError
from filters.guard import categories

FOLDER = Path(__file__).resolve().parent / "templates"
Side = Literal["prompt", "response"]
_PLACE = re.compile(r"\{(prompt|response|policy)\}")


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    role: str
    content: str


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One category's policy, as it is put for a prompt and for a response."""

    prompt: str
    response: str


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an answer looks like. lines: safe, or unsafe and a line of categories. json: an object with these keys. yes_no: Yes
    is unsafe; its probability comes from the first token's, where the server gives those."""

    kind: Literal["lines", "json", "yes_no"]
    prompt_key: str = ""
    response_key: str = ""
    categories_key: str = ""


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """prompt/response: the messages that ask about each (for ``completions``, one whose content is the whole text); {prompt},
    {response} and {policy} stand for what is asked about. categories: what the model calls them -> our codes. policies: code ->
    policy, each asked in a request of its own. markers: strings that mean something to the model, broken up in texts.
    """

    name: str
    about: str
    source: str
    api: Literal["chat", "completions"] = "chat"
    parameters: dict[str, Any] = {}
    prompt: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1)]
    response: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1)]
    answer: Form
    categories: dict[str, str] = {}
    policies: dict[str, Policy] = {}
    markers: tuple[str, ...] = ()

    @property
    def codes(self) -> frozenset[str]:
        return frozenset([*self.categories.values(), *self.policies])

    @property
    def asked(self) -> tuple[str, ...]:
        """The categories that a question each is asked for; one empty name where one question is for all."""
        return tuple(self.policies) or ("",)

    def body(self, model: str, side: Side, texts: Mapping[str, str], policy: str) -> bytes:
        """The request, the same bytes for the same question. Texts are put in once: what stands in them is not looked at again."""
        told = {name: self._broken(text) for name, text in texts.items()}
        if policy:
            told["policy"] = getattr(self.policies[policy], side)
        made = [
            {"role": m.role, "content": _PLACE.sub(lambda place: told.get(place[1], ""), m.content)}
            for m in getattr(self, side)
        ]
        asked = {"messages": made} if self.api == "chat" else {"prompt": made[0]["content"]}
        return orjson.dumps({**self.parameters, "model": model, **asked}, option=orjson.OPT_SORT_KEYS)

    def _broken(self, text: str) -> str:
        for marker in self.markers:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
        return text


def shipped() -> list[str]:
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def locate(template: str) -> Path:
    """The file of a template of ours, or of a path (anything with a slash or a .yaml ending)."""
    is_path = "/" in template or template.endswith((".yaml", ".yml"))
    path = Path(template) if is_path else FOLDER / f"{template}.yaml"
    if not path.is_file():
        raise ConfigError(
            f"guard.endpoint.template: no template {template!r:.200}; there are {', '.join(shipped())}, or give a .yaml file"
        )
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path) -> Template:
    """The template in a file. Raises ConfigError naming the file and what is wrong with it."""
    # Imported here: planning needs no YAML of ours.
    import yaml

    try:
        template = msgspec.convert(yaml.safe_load(path.read_text("utf-8")), Template)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"guard: template {path.name}: {' '.join(str(error).split())[:300]}") from None
    where = f"guard: template {path.name}"
    categories.check_codes(where, template.codes)
    if wrong := _wrong(template):
        raise ConfigError(f"{where}: {wrong}")
    return template


def _wrong(template: Template) -> str:
    prompt, response = ("".join(m.content for m in side) for side in (template.prompt, template.response))
    form = template.answer
    if "{prompt}" not in prompt or "{response}" not in response:
        return "'prompt' must hold {prompt}, and 'response' {response}: the text asked about would not be sent"
    if template.api == "completions" and (len(template.prompt), len(template.response)) != (1, 1):
        return "completions take one text: give 'prompt' and 'response' one message each"
    if (form.kind == "yes_no") != bool(template.policies):
        return "answers of kind yes_no need 'policies', and no others have them"
    if form.kind != "yes_no" and not template.categories:
        return "it needs 'categories': what the model calls them, and our codes"
    if form.kind == "json" and not (form.prompt_key and form.response_key and form.categories_key):
        return "answers of kind json need prompt_key, response_key and categories_key"
    if not all(len(m) > 1 for m in template.markers):
        return "a marker has two characters or more"
    return ""
