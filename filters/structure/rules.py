"""Every rule there is: its code, what it means, and the profiles in which it counts.

Order is severity: the first violated rule of a record is its reason. Codes are stable; people search for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "nul_characters": "a text holds NUL characters",
        "control_characters": "a text holds control characters that no writer types",
        "no_turns": "the record has no turns at all",
        "tools_too_large": "more tools, or longer definitions, than the limits allow",
        "tools_not_json": "the tool definitions are not JSON",
        "tool_definition_invalid": "a tool has no name, or its parameters are not a JSON Schema",
        "schema_unsafe": "a tool's schema is too deep, loops, points elsewhere or holds an explosive pattern",
        "duplicate_tool": "two different tools share one name",
        "unknown_role": "a turn's role is not one that chat templates know",
        "no_prompt": "a conversation in which nobody asks anything",
        "role_order": "turns follow each other in an order that chat templates refuse or that lost something",
        "misplaced_call": "a turn that is not the assistant's carries a tool call",
        "missing_tools": "tools are called but none is defined anywhere in the record",
        "undeclared_tool": "a call names a tool that is not defined",
        "call_malformed": "a call has no name, or is not a call at all",
        "arguments_not_json": "a call's arguments are not JSON",
        "arguments_not_object": "a call's arguments are JSON but not an object",
        "argument_missing": "a call lacks an argument that the tool's schema requires",
        "argument_unknown": "a call passes an argument that the tool's schema does not have",
        "argument_type": "an argument has another type than the tool's schema says",
        "argument_value": "an argument's value breaks the tool's schema (enum, range, pattern, length)",
        "null_padding": "keys padded with null, as columnar formats do to structs",
        "call_without_result": "the conversation goes on after a call whose result is missing",
        "orphan_result": "a tool result that answers no call",
        "duplicate_call_id": "two calls share one id",
        "redacted_turn": "a turn marked for training has had its content removed",
        "empty_turn": "a turn has neither text nor a call",
        "no_answer": "an assistant turn that reasons but never answers",
        "think_unclosed": "a reasoning tag is opened and never closed",
        "think_stray": "a reasoning tag is closed that was never opened",
        "think_nested": "a reasoning tag inside reasoning",
        "think_repeated": "one turn holds several blocks of reasoning",
        "reasoning_in_answer": "reasoning stands in the answer, beside or instead of its own place",
        "call_markup_in_text": "tool-call markup was left in text instead of becoming a call",
        "template_tokens": "control tokens of a chat template were left in text",
        "content_not_text": "a content that is an object or a number, or a list of parts written out as text",
        "answer_cut": "the answer was cut off",
        "boxed_missing": "the answer was asked for in \\boxed{} and is not there",
        "boxed_conflict": "the answer gives several different \\boxed{} values where one was asked for",
        "mojibake": "text decoded with the wrong character set",
        "replacement_characters": "text that lost characters to U+FFFD",
        "no_tool_use": "an agentic record in which no tool is defined or called",
        "unanswered_call": "the record ends on a call without its result",
        "not_a_prompt": "the record does not end where a model would have to answer",
    }
)

PROFILES = ("sft", "rl_prompt", "agentic")

_STRICT_ONLY = frozenset({"no_tool_use", "unanswered_call", "not_a_prompt"})
_ONLY_IN = {"no_tool_use": {"agentic"}, "unanswered_call": {"agentic"}, "not_a_prompt": {"rl_prompt"}}
_ABOUT_ANSWERS = frozenset(
    {"no_answer", "answer_cut", "boxed_missing", "boxed_conflict", "redacted_turn", "reasoning_in_answer"}
)
"""Not asked of a prompt for reinforcement learning: an answer there is at most a reference."""


def counting(profile: str, *, strict: bool, off: Iterable[str] = ()) -> frozenset[str]:
    """The codes that make a verdict under these options."""
    codes = set(REASONS) - set(off)
    if not strict:
        codes -= _STRICT_ONLY
    codes -= {code for code, profiles in _ONLY_IN.items() if profile not in profiles}
    if profile == "rl_prompt":
        codes -= _ABOUT_ANSWERS
    return frozenset(codes)


def recorded(*, strict: bool) -> frozenset[str]:
    """The codes that are looked for, so that a profile can be chosen afterwards: those that count under any."""
    return frozenset().union(*(counting(profile, strict=strict) for profile in PROFILES))
