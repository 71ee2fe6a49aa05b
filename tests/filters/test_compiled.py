"""The cache of compiled patterns: it saves time, is never believed blindly, and never stands in the way."""

from __future__ import annotations

import os

import pytest

from filters import compiled, scan
from filters.scan import Pattern, PatternSet


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "patterns"


class Maker:
    """Makes the same bytes each time and counts how often."""

    def __init__(self, made: bytes = b"database") -> None:
        self.made, self.times = made, 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.made


def load(make: Maker, key: bytes = b"key") -> bytes:
    return compiled.load(key, lambda data: data == make.made, make)


def test_what_was_made_once_is_read_the_next_time(cache):
    make = Maker()
    assert [load(make), load(make)] == [b"database"] * 2
    assert make.times == 1
    load(make, b"another key")
    assert make.times == 2
    [first, _] = cache.iterdir()
    assert first.stat().st_mode & 0o077 == 0
    assert cache.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "writable", "link", "unusable"])
def test_a_file_that_cannot_be_trusted_is_made_again(cache, tmp_path, harm):
    make = Maker()
    load(make)
    [path] = cache.iterdir()
    content = path.read_bytes()
    if harm == "flip":
        path.write_bytes(content[:-1] + b"?")
    elif harm == "truncate":
        path.write_bytes(content[:-3])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "writable":
        path.chmod(0o666)
    elif harm == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
    else:
        make.made = b"of another processor"
    assert load(make) == make.made
    assert make.times == 2
    assert load(make) == make.made
    assert make.times == 2


def test_a_folder_that_others_can_write_to_is_not_used(cache):
    load(Maker())
    cache.chmod(0o777)
    make = Maker()
    load(make)
    assert make.times == 1


def test_off_and_unwritable_only_cost_time(cache, tmp_path, monkeypatch):
    make = Maker()
    for told in ("off", str(tmp_path / "file" / "below")):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("CORPUSMILL_CACHE", told)
        assert load(make) == b"database"
    assert make.times == 2
    assert not cache.exists()


def test_patterns_match_the_same_from_the_cache(cache, monkeypatch):
    patterns = [Pattern("a", r"\bcat\b"), Pattern("b", r"dog[^.]{0,20}bone", caseless=False)]
    text = b"A Cat, and a dog with a bone. DOG bone."
    scan._compiled.cache_clear()
    fresh = PatternSet(patterns).matches_in(text)
    assert len(list(cache.iterdir())) == 2
    scan._compiled.cache_clear()
    monkeypatch.setattr(scan, "_made", lambda *_: pytest.fail("compiled again"))
    assert PatternSet(patterns).matches_in(text) == fresh
    assert len(fresh) == 2
    scan._compiled.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_somebody_else_is_not_believed(cache):
    make = Maker()
    load(make)
    [path] = cache.iterdir()
    os.chown(path, 65534, 65534)
    load(make)
    assert make.times == 2
