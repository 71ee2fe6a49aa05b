"""Data formats: JSON, YAML, TOML and XML by parsers that build nothing out of what they read, or very little."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from xml.parsers import expat

import orjson
import yaml

from filters.code.verdict import PARSES, Verdict, broken, open_

_COMMENT = re.compile(rb'"(?:\\.|[^"\\])*"|(?P<comment>//[^\n]*|/\*.*?\*/|(?m:^\s*#[^\n]*))', re.DOTALL)
_DEEP_KEY = re.compile(rb"(?:[\w-]{1,64}[ \t]*\.[ \t]*){100}")
"""A dotted key of a hundred levels; the parser takes time by their square."""
_UNQUOTED = re.compile(
    rb'"(?:\\.|[^"\\])*"|(?P<comma>,(?=\s*[\]}]))|(?P<key>[A-Za-z_$][\w$]*)(?=\s*:)|(?P<single>\'(?:\\.|[^\'\\])*\')',
    re.DOTALL,
)


def check_json(code: bytes) -> Verdict:
    """One value, one a line, or one after the other; members or elements without their brackets are a fragment of one."""
    found = _json(code)
    if found.holds or found.cause != "syntax":
        return found
    inner = code.strip().rstrip(b",")
    if (inner[:1] == b'"' and _json(b"{" + inner + b"}").holds) or _json(b"[" + inner + b"]").holds:
        return PARSES
    bare = _without_comments(code)
    if bare != code and check_json(bare).holds:
        return open_("dialect")
    return found


def check_json5(code: bytes) -> Verdict:
    """JSON with comments, trailing commas, bare keys and single quotes."""

    def plain(match: re.Match[bytes]) -> bytes:
        if match["comma"]:
            return b" "
        if match["key"]:
            return b'"' + match["key"] + b'"'
        return b'""' if match["single"] else match[0]

    found = _json(_UNQUOTED.sub(plain, _without_comments(code)))
    return found if found.holds else open_("dialect")


def _without_comments(code: bytes) -> bytes:
    return _COMMENT.sub(lambda m: b" " if m["comment"] else m[0], code)


def _json(code: bytes) -> Verdict:
    try:
        orjson.loads(code)
    except orjson.JSONDecodeError:
        return _json_values(code)
    return PARSES


def _json_values(code: bytes) -> Verdict:
    """Values one after the other, by the looser parser, which knows NaN and where the error is."""
    text, decode = code.decode("utf-8", "replace"), json.JSONDecoder(strict=False).raw_decode
    at = 0
    try:
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            _, at = decode(text, at)
    except json.JSONDecodeError as error:
        return broken(len(text[: error.pos].encode()))
    except RecursionError:
        return open_("too_complex")
    return PARSES if text.strip() else broken(0)


def check_yaml(code: bytes) -> Verdict:
    """Events only: nothing is built, no alias is followed and no tag is believed."""
    text = code.decode("utf-8", "replace")
    try:
        for _ in yaml.parse(text, Loader=yaml.CSafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return broken(_line(code, mark.line + 1 if mark else 1))
    except yaml.YAMLError:
        return broken(0)
    except (RecursionError, MemoryError):
        return open_("too_complex")
    return PARSES


def check_toml(code: bytes) -> Verdict:
    if _DEEP_KEY.search(code):
        return open_("too_complex")
    try:
        tomllib.loads(code.decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        return broken(_line(code, int(line[1])) if line else len(code))
    except (RecursionError, ValueError):
        return open_("too_complex")
    return PARSES


def check_xml(code: bytes) -> Verdict:
    """Well-formed, alone or below one root. Declared entities are not expanded, so a document that has some is not judged."""
    if b"<!ENTITY" in code:
        return open_("too_complex")
    found = _xml(code.strip())
    if found.holds or b"<?xml" in code[:200] or b"<!DOCTYPE" in code[:400]:
        return found
    below = _xml(b"<r>" + code + b"</r>")
    return PARSES if below.holds else found


def _xml(code: bytes) -> Verdict:
    parser = expat.ParserCreate("utf-8")
    try:
        parser.Parse(code, True)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
            return open_("dialect", parser.ErrorByteIndex)
        return broken(max(parser.ErrorByteIndex, 0))
    return PARSES


def _line(code: bytes, number: int) -> int:
    """Byte at which a line begins, counted from 1."""
    at = 0
    for _ in range(number - 1):
        following = code.find(b"\n", at) + 1
        if not following:
            break
        at = following
    return at


CHECKS: dict[str, Callable[[bytes], Verdict]] = {
    "json": check_json, "json5": check_json5, "yaml": check_yaml, "toml": check_toml, "xml": check_xml,
}  # fmt: skip
