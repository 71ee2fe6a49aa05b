"""Datasets on the Hugging Face Hub, for reading. A branch is resolved to its commit once; whatever is read then is that commit's.

A token comes from where the Hub's own tools take it (HF_TOKEN, or ``hf auth login``).
"""

from __future__ import annotations

import glob
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from fsspec.utils import glob_translate

from pipelines.errors import ShardError, StoreError, UsageError
from pipelines.stores.ranged import Ranged

if TYPE_CHECKING:
    from pipelines.stores import Stat

_URL = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)(?:@(refs/(?:convert|pr)/[\w.-]+|[\w.-]+))?(?:/(.*))?", re.DOTALL)

TIMEOUT = 30.0
"""Seconds to wait for a connection and for the next bytes; the Hub's own client tries five times, with growing pauses."""


def split(url: str) -> tuple[str, str, str]:
    """(repository, revision or "", path). Raises UsageError."""
    if (match := _URL.fullmatch(url)) is None:
        raise UsageError(f"{url}: write it as hf://datasets/OWNER/NAME[@REVISION][/PATH]")
    return match[1], match[2] or "", (match[3] or "").strip("/")


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


@contextmanager
def speaking(url: str) -> Iterator[None]:
    """Whatever the Hub or the way to it says becomes one line, without its own words, which may hold addresses that are signed."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        told = "there is no such dataset or revision, or it needs a token (HF_TOKEN)"
        raise StoreError(f"{url}: {told} ({type(error).__name__})", usage=True) from None
    except errors.EntryNotFoundError:
        raise ShardError(f"{url} is not there") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "?")
        if status in (401, 403):
            raise StoreError(f"{url}: access denied ({status}): check the token (HF_TOKEN)", usage=True) from None
        raise StoreError(f"{url}: the Hub does not answer ({status}): run again later") from None
    except (ShardError, UsageError):
        raise
    except Exception as error:  # of the HTTP client, which is another one in every version of the Hub's library
        raise StoreError(f"{url}: the Hub does not answer ({type(error).__name__}): run again later") from None


def find(url: str) -> Iterator[tuple[str, str, Stat]]:
    """As ``stores.find``; the URLs that it gives name the commit."""
    from huggingface_hub import errors

    repository, revision, path = split(url)
    with speaking(url):
        commit = _api().repo_info(repository, revision=revision or None, repo_type="dataset").sha
    home = f"hf://datasets/{repository}@{commit}"
    magic = glob.has_magic(path)
    folder = path[: re.search(r"[*?[]", path).start()].rpartition("/")[0] if magic else path  # type: ignore[union-attr]
    with speaking(url):
        try:
            told = list(_files(_api().list_repo_tree(
                repository, folder or None, recursive=True, revision=commit, repo_type="dataset")))  # fmt: skip
        except errors.EntryNotFoundError:
            told = list(_files(_api().get_paths_info(repository, [path], revision=commit, repo_type="dataset")))
            folder = path.rpartition("/")[0]
    wanted = re.compile(glob_translate(path)) if magic else None
    for file in told:
        if wanted is None or wanted.match(file.path):
            name = file.path[len(folder) + 1 :] if folder else file.path
            yield f"{home}/{file.path}", name, _stat(file)


def _files(entries: Iterable[Any]) -> Iterator[Any]:
    return (entry for entry in entries if hasattr(entry, "blob_id"))


def _stat(file: Any) -> Stat:
    return (file.size, file.lfs.sha256 if file.lfs else file.blob_id)


def _file(url: str) -> Any:
    repository, commit, path = split(url)
    with speaking(url):
        found = list(_files(_api().get_paths_info(repository, [path], revision=commit, repo_type="dataset")))
    if not found:
        raise ShardError(f"{url} is not there")
    return found[0]


def stat(url: str) -> Stat:
    return _stat(_file(url))


def sha256(url: str) -> str | None:
    """Of the content: files that are not small stand on the Hub under it."""
    file = _file(url)
    return file.lfs.sha256 if file.lfs else None


def opened(url: str) -> BinaryIO:
    return io.BufferedReader(Ranged(_file(url).size, lambda start, stop: fetched(url, start, stop)), 1 << 20)


def fetched(url: str, start: int, stop: int) -> bytes:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

    repository, commit, path = split(url)
    where = hf_hub_url(repository, path, repo_type="dataset", revision=commit, endpoint=os.environ.get("HF_ENDPOINT"))
    with speaking(url):
        headers = {**build_hf_headers(), "Range": f"bytes={start}-{stop - 1}"}
        answer = http_backoff("GET", where, headers=headers, timeout=TIMEOUT, follow_redirects=True)
        hf_raise_for_status(answer)
        if len(answer.content) != stop - start:
            raise StoreError(f"{url}: its bytes do not come as asked for: run again later")
        return answer.content
