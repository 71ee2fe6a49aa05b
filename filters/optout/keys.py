"""What is compared: ids, users, URLs, domains and contents in the one form in which two of them are equal."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

HASHED = "sha256:"
"""An entry that begins like this is the hash of a key in its plain form, so that a list need not name anybody."""


def content_hash(texts: Sequence[str]) -> str:
    """sha256, in hex, of one text or of the turns of a conversation, in the form that ``plain_text`` gives, joined by a line feed.

    This is what a list of contents holds; whoever keeps one computes it with this function.
    """
    return hashlib.sha256("\n".join(map(plain_text, texts)).encode()).hexdigest()


def plain_text(text: str) -> str:
    """NFC, every run of white space one space, none at the ends: what copying and re-wrapping does not change."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def ids(values: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(values)


def users(values: pa.Array) -> pa.Array:
    """Without the ``@`` of a handle and without case: no service tells users apart by that."""
    return pc.replace_substring_regex(pc.utf8_lower(pc.utf8_trim_whitespace(values)), r"^@", "")


def urls(values: pa.Array) -> pa.Array:
    """``host/path?query``: scheme, user, ``www.``, default port, fragment and a slash at the end say nothing of the page."""
    bare = pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", "")
    bare = pc.replace_substring_regex(bare, r"#.*$", "")
    bare = pc.replace_substring_regex(bare, r"^[^/?@]*@", "")
    # A second expression for hosts: only they are the same in either case.
    parts = pc.extract_regex(bare, r"(?s)^(?P<host>[^/?]*)(?P<rest>.*)$")
    host = _plain_host(parts.field("host"))
    rest = pc.replace_substring_regex(parts.field("rest"), r"/+$", "")
    return pc.binary_join_element_wise(host, rest, pa.scalar("", pa.large_string()))


def hosts(values: pa.Array) -> pa.Array:
    """The host of each URL, or a domain as people write it into a list (``*.example.org``, ``.example.org``, a URL)."""
    bare = pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"^(?:\*\.|\.)", "")
    return pc.replace_substring_regex(urls(bare), r"[/?].*$", "")


def _plain_host(host: pa.Array) -> pa.Array:
    host = pc.replace_substring_regex(pc.utf8_lower(host), r":(?:80|443)?$", "")
    host = pc.replace_substring_regex(host, r"\.+$", "")
    host = pc.replace_substring_regex(host, r"^www\.", "")
    if pc.all(pc.string_is_ascii(host)).as_py() is not False:
        return host
    return pa.array([_ascii(h) for h in host.to_pylist()], host.type)


def _ascii(host: str) -> str:
    """As the name system spells it: ``bücher.de`` and ``xn--bcher-kva.de`` are one host."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def domains_above(host: str) -> list[str]:
    """A host and every domain it lies in: ``a.b.example.org``, ``b.example.org``, ``example.org``, ``org``."""
    name = host.partition(":")[0]
    parts = name.split(".")
    above = [".".join(parts[i:]) for i in range(len(parts))]
    return above if name == host else [host, *above]


def pages_above(url: str) -> list[str]:
    """``host/*``, ``host/a/*`` …: how an entry names everything below a page, for each page that a URL lies below."""
    path = url.partition("?")[0].split("/")
    return ["/".join(path[: i + 1]) + "/*" for i in range(len(path))]
