"""Secrets of other people's tools, encrypted at rest: who reads the database, or a backup of it, reads none of them.

Rotation: put the new key before the old ones. What is sealed from then on needs the new one only; the old ones open
what they sealed, until each connection got its secret anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tithe.errors import BadInput, Conflict

#: The setting that holds the keys; errors name it.
SETTING = "TITHE_SECRET_KEY"


class VaultClosed(Conflict):
    """Secrets cannot be kept: no key is set."""

    code = "vault_closed"


class SecretUnreadable(Conflict):
    """A secret was sealed by a key that is not here any more."""

    code = "secret_unreadable"


class Vault:
    """Seals and opens.

    Parameters
    ----------
    keys
        Fernet keys, url-safe base64 of 32 bytes; the first seals, all of them open. Empty: a vault that stays closed.

    Examples
    --------
    >>> vault = Vault([new_key()])
    >>> vault.open(vault.seal("s3cret"))
    's3cret'
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([_read(key, number) for number, key in enumerate(keys, 1)]) if keys else None

    @property
    def closed(self) -> bool:
        """Whether there is no key."""
        return self._fernet is None

    def seal(self, secret: str) -> bytes:
        """Encrypt. The same secret never gives the same bytes twice. Raises VaultClosed."""
        return self._opened().encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt. Raises VaultClosed, and SecretUnreadable where no key fits."""
        try:
            return self._opened().decrypt(sealed).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"the secret was sealed by a key that {SETTING} does not hold",
                remedy=f"add the old key to {SETTING}, after a comma, or give the connection its secret again",
            ) from None

    def _opened(self) -> MultiFernet:
        if self._fernet is None:
            raise VaultClosed(
                f"{SETTING} is not set, so the tool's secret could not be kept safely",
                remedy=f"set it for the gateway and for sync to what this prints: {HOW_TO_MAKE_ONE}",
            )
        return self._fernet


#: What an operator runs to get a key.
HOW_TO_MAKE_ONE = 'python -c "from tithe.vault import new_key; print(new_key())"'


def new_key() -> str:
    """A key, from the system's randomness."""
    return Fernet.generate_key().decode()


def _read(key: str, number: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:  # its message may hold a part of the key
        raise BadInput(
            f"key {number} in {SETTING} is no key", place=SETTING, remedy=f"this prints one: {HOW_TO_MAKE_ONE}"
        ) from None
