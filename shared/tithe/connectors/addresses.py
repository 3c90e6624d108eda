"""Which addresses may be called: public ones, and those that whoever runs Tithe named. Pure."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$")

#: What Python's registry of special addresses lets pass, depending on its version, and nobody labels on.
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carriers' own
            "192.0.0.0/24",
            "192.88.99.0/24",  # relays from IPv6, given up
            "198.18.0.0/15",
            "240.0.0.0/4",
            "2001::/23",  # Teredo and others that wrap an address
            "2001:db8::/32",
            "3fff::/20",
        ),
    )
)
#: All that was ever given out as public IPv6.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Allowed:
    """What may be called although it is not public."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    def names(self, host: str) -> bool:
        """Whether the host is named: then whatever its name stands for may be called."""
        return host in self.hosts

    def holds(self, address: Address) -> bool:
        """Whether the address lies in a network that is named."""
        return any(address in network for network in self.networks)


@functools.lru_cache(maxsize=32)
def allowed(entries: Sequence[str]) -> Allowed:
    """What the entries name: hosts, addresses and networks. Raises ValueError for what is none of them.

    Examples
    --------
    >>> named = allowed(("Tools.Example.", "10.1.0.0/16"))
    >>> named.names("tools.example"), named.holds(ipaddress.ip_address("10.1.2.3"))
    (True, True)
    >>> allowed(("http://localhost",))
    Traceback (most recent call last):
    ValueError: 'http://localhost' is no host, address or network, such as labels.example, 127.0.0.1 or 10.0.0.0/8
    """
    hosts: set[str] = set()
    networks: list[Network] = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            continue
        except ValueError:
            host = plain(entry)
        # A name whose last part is a number would be read as an address by some, and as a name by others.
        if not _HOST.match(host) or host.rpartition(".")[2].isdigit():
            raise ValueError(
                f"{entry!r} is no host, address or network, such as labels.example, 127.0.0.1 or 10.0.0.0/8"
            )
        hosts.add(host)
    return Allowed(frozenset(hosts), tuple(networks))


def plain(host: str) -> str:
    """A host's name as it is compared: lower case, without the dot at its end.

    Examples
    --------
    >>> plain("LocalHost.")
    'localhost'
    """
    return host.lower().removesuffix(".")


def read(text: str) -> Address:
    """An address as resolvers tell it, without its zone; of one that wraps an IPv4 address, that.

    Whoever calls the wrapping address ends at the wrapped one, so that is the one to look at.

    Examples
    --------
    >>> read("::ffff:127.0.0.1"), read("64:ff9b::a00:1"), read("2002:a00:1::")
    (IPv4Address('127.0.0.1'), IPv4Address('10.0.0.1'), IPv4Address('10.0.0.1'))
    >>> read("fe80::1%eth0")
    IPv6Address('fe80::1')
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def is_public(address: Address) -> bool:
    """Whether the address is one of the internet's, open to all.

    Examples
    --------
    >>> [is_public(read(one)) for one in ("8.8.8.8", "2606:4700::1111", "169.254.169.254", "::1", "100.64.0.1")]
    [True, True, False, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return False
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        return False
    if address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def may_be_called(address: Address, host: str, entries: Sequence[str]) -> bool:
    """Whether `address`, which `host` stands for, may be called."""
    named = allowed(tuple(entries))
    return named.names(plain(host)) or named.holds(address) or is_public(address)
