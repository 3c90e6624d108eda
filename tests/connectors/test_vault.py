"""What seals secrets: keys that turn over, keys that are none, and a vault without one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tithe.embedded.endpoints import Endpoints
from tithe.embedded.options import StackOptions
from tithe.embedded.services import service_environment
from tithe.errors import BadInput
from tithe.runtime import Runtime
from tithe.settings import Settings
from tithe.vault import SecretUnreadable, Vault, VaultClosed, new_key

SECRET = "s3cret \N{KEY} token"


def test_what_is_sealed_is_not_readable_and_comes_out_again():
    vault = Vault([new_key()])
    sealed = vault.seal(SECRET)
    assert SECRET.encode() not in sealed
    assert vault.open(sealed) == SECRET
    assert vault.seal(SECRET) != sealed


def test_keys_turn_over():
    old, new = new_key(), new_key()
    before = Vault([old]).seal(SECRET)
    both = Vault([new, old])
    assert both.open(before) == SECRET
    after = both.seal(SECRET)
    assert Vault([new]).open(after) == SECRET
    with pytest.raises(SecretUnreadable, match="TITHE_SECRET_KEY"):
        Vault([old]).open(after)
    with pytest.raises(SecretUnreadable):
        Vault([new]).open(before)


@pytest.mark.parametrize(
    "change", [lambda s: s[:-1], lambda s: s[:20] + b"A" + s[21:], lambda _: b"", lambda _: b"\xff"]
)
def test_what_was_tampered_with_does_not_open(change):
    vault = Vault([new_key()])
    with pytest.raises(SecretUnreadable):
        vault.open(change(vault.seal(SECRET)))


def test_without_a_key_nothing_is_sealed_and_the_setting_is_named():
    vault = Vault([])
    assert vault.closed
    with pytest.raises(VaultClosed, match="TITHE_SECRET_KEY is not set") as caught:
        vault.seal(SECRET)
    assert "new_key" in (caught.value.remedy or "")
    with pytest.raises(VaultClosed):
        vault.open(b"x")


@pytest.mark.parametrize("key", ["hunter2", "x" * 44, "\N{KEY}" * 44, new_key()[:-2]])
def test_a_key_that_is_none_is_told_by_its_number_and_never_shown(key: str):
    with pytest.raises(BadInput, match="key 2 in TITHE_SECRET_KEY is no key") as caught:
        Vault([new_key(), key])
    assert key not in f"{caught.value.message}{caught.value.remedy}{caught.value.__context__!r}".replace("new_key", "")


def runtime(tmp_path: Path, **settings: str) -> Runtime:
    return Runtime(Settings(_env_file=None, data=tmp_path, **settings), None)  # type: ignore[arg-type]


def test_a_runtime_has_a_vault_and_a_guard_as_its_settings_say(tmp_path: Path):
    old, new = new_key(), new_key()
    here = runtime(tmp_path, secret_key=f" {new} , {old},", connect_allow="127.0.0.1, labels.internal")
    assert here.vault.open(Vault([old]).seal(SECRET)) == SECRET
    assert Vault([new]).open(here.vault.seal(SECRET)) == SECRET
    assert here.outside.allowed == ("127.0.0.1", "labels.internal")
    assert new not in repr(here.settings)
    bare = runtime(tmp_path)
    assert (bare.vault.closed, bare.outside.allowed) == (True, ())
    with pytest.raises(BadInput, match="TITHE_CONNECT_ALLOW: 'http://x' is no host"):
        _ = runtime(tmp_path, connect_allow="http://x").outside


def test_the_embedded_stack_makes_a_key_keeps_it_and_passes_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TITHE_SECRET_KEY", raising=False)
    endpoints = Endpoints("127.0.0.1", 1, "postgresql://x", "redis://x")
    first = service_environment(StackOptions(data=tmp_path), endpoints)["TITHE_SECRET_KEY"]
    assert Vault([first]).open(Vault([first]).seal(SECRET)) == SECRET
    assert service_environment(StackOptions(data=tmp_path), endpoints)["TITHE_SECRET_KEY"] == first
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    monkeypatch.setenv("TITHE_SECRET_KEY", "")
    assert service_environment(StackOptions(data=tmp_path), endpoints)["TITHE_SECRET_KEY"] == first
    monkeypatch.setenv("TITHE_SECRET_KEY", "mine")
    assert service_environment(StackOptions(data=tmp_path), endpoints)["TITHE_SECRET_KEY"] == "mine"
    options = StackOptions(data=tmp_path, env={"TITHE_SECRET_KEY": "yours"})
    assert service_environment(options, endpoints)["TITHE_SECRET_KEY"] == "yours"
