"""Options of the guard. Imports nothing heavy: `corpusmill filters` reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from filters.contract import Options

Text = Literal["system", "prompt", "response", "reasoning", "tool_call", "tool_result"]


class Endpoint(Options, frozen=True, kw_only=True):
    """A guard model behind the API that OpenAI, vLLM and others have in common."""

    url: Annotated[str, Meta(description="Its base, `http://host:8000/v1`, without credentials.")]
    model: Annotated[str, Meta(description="The model's name there.", min_length=1)]
    template: Annotated[
        str, Meta(description="How it is asked: a template of ours by name, or the path of a YAML file.", min_length=1)
    ]
    key_env: Annotated[
        str, Meta(description="Environment variable that holds the API key; the key itself stands nowhere.")
    ] = ""
    cache: Annotated[
        str, Meta(description="Folder for answers; empty: the user's cache (`CORPUSMILL_CACHE`), if there is one.")
    ] = ""
    scrub: Annotated[
        bool, Meta(description="Replace what the pii filter finds with its default options before a text is sent.")
    ] = False
    concurrency: Annotated[int, Meta(description="Requests at a time, for each worker.", ge=1, le=512)] = 16
    rate: Annotated[float, Meta(description="Requests a second, for each worker; 0: as many as go.", ge=0)] = 0.0
    attempts: Annotated[int, Meta(description="How often a question is asked before it is given up.", ge=1, le=20)] = 5
    backoff: Annotated[
        float, Meta(description="Seconds before the second attempt; doubled each time, up to 60.", gt=0, le=60)
    ] = 0.5
    timeout: Annotated[float, Meta(description="Seconds for one attempt.", gt=0, le=3600)] = 60.0
    price_prompt: Annotated[float, Meta(description="What a million tokens of a question cost.", ge=0)] = 0.0
    price_completion: Annotated[float, Meta(description="What a million tokens of an answer cost.", ge=0)] = 0.0
    again: Annotated[
        int, Meta(description="Another number judges anew what was set aside; answers in the cache stay.", ge=0)
    ] = 0


class GuardOptions(Options, frozen=True, kw_only=True):
    model: Annotated[str, Meta(description="Path of a fastText model (.bin or .ftz); instead of `endpoint`.")] = ""
    labels: Annotated[
        dict[str, str],
        Meta(description="The model's labels that are unsafe, with or without `__label__`, and the category of each."),
    ] = {}
    endpoint: Annotated[
        Endpoint | None,
        Meta(description="A guard model behind an OpenAI-compatible endpoint: `{url, model, template, …}`, see below."),
    ] = None
    texts: Annotated[tuple[Text, ...], Meta(description="What is judged.", min_length=1)] = (
        "prompt",
        "response",
        "reasoning",
    )
    threshold: Annotated[float, Meta(description="Probability from which on a category counts.", ge=0.01, le=1)] = 0.5
    drop: Annotated[
        tuple[str, ...], Meta(description="Categories that a record is dropped for; empty: all of them.")
    ] = ()
    piece: Annotated[
        int, Meta(description="Bytes of text judged at once; longer texts are judged in pieces.", ge=100, le=1 << 20)
    ] = 8000
    most_pieces: Annotated[
        int, Meta(description="A text of more pieces than this is not asked about, and so unjudged.", ge=1)
    ] = 256
    on_failure: Annotated[
        Literal["drop", "stop"],
        Meta(
            description="What becomes of a record that the guard does not answer about: `drop` sets it aside as "
            "`guard_unjudged`, `stop` fails its unit of work, which the next run does again."
        ),
    ] = "drop"
