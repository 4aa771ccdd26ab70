"""Trust comes from the door or the user, and grants are requests weighed against it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from hotswap.errors import CapabilityDenied
from hotswap.manifest import Capabilities, HostRange, Limits, Manifest
from hotswap.trust import CAPABILITIES, Grant, Grants, Trust, default_trust, grants_for, in_process

EVERYTHING = Capabilities(**dict.fromkeys(CAPABILITIES, True))
NO_LIMITS = Limits()


def manifest(capabilities: Capabilities = EVERYTHING, limits: Limits = NO_LIMITS) -> Manifest:
    return Manifest(
        id="polite",
        name="Polite",
        version=Version("1.0.0"),
        raw_version="1.0.0",
        type="scraper",
        host=HostRange(Version("0.1.0")),
        capabilities=capabilities,
        limits=limits,
    )


def grants(requested: Capabilities, trust: Trust, **said: Grant) -> Grants:
    return grants_for(manifest(requested), trust, said)


@pytest.mark.parametrize(
    ("door", "package", "level"),
    [
        ("distribution", "hotswap_plugins.http_scraper", Trust.OFFICIAL),
        ("distribution", "hotswap_plugins", Trust.OFFICIAL),
        ("distribution", "hotswap_plugins_evil.http_scraper", Trust.VERIFIED),
        ("distribution", "acme.plugins", Trust.VERIFIED),
        ("path", "hotswap_plugins.http_scraper", Trust.VERIFIED),
        ("path", None, Trust.VERIFIED),
        ("project", None, Trust.VERIFIED),
        ("user", None, Trust.COMMUNITY),
        ("system", None, Trust.COMMUNITY),
        ("letterbox", None, Trust.UNTRUSTED),
    ],
)
def test_default_trust(door: str, package: str | None, level: Trust) -> None:
    """Trust by door is as the design's section 8 has it, and only our own package is official."""
    assert default_trust(door, package) is level


def test_parse() -> None:
    """A level is read from its word in hotswap.toml, and a misspelt one names the nearest."""
    assert [Trust.parse(each.label) for each in Trust] == list(Trust)
    with pytest.raises(ValueError, match=r"'verifed' is no trust level. Did you mean 'verified'"):
        Trust.parse("verifed")
    with pytest.raises(ValueError, match="Levels: untrusted, community, verified, official"):
        Trust.parse("9")


def test_levels_say_what_they_mean() -> None:
    """Every level carries a sentence, and only verified and official plugins run in the host process."""
    assert all(each.meaning for each in Trust)
    assert [each.label for each in Trust if in_process(each)] == ["verified", "official"]


@pytest.mark.parametrize(
    ("trust", "gets"),
    [
        (Trust.OFFICIAL, set(CAPABILITIES)),
        (Trust.VERIFIED, set(CAPABILITIES)),
        (Trust.COMMUNITY, {"config_access", "llm_access", "storage_access", "file_system_read"}),
        (Trust.UNTRUSTED, {"config_access", "llm_access"}),
    ],
)
def test_level_defaults(trust: Trust, gets: set[str]) -> None:
    """Of everything requested, each level gives its own default and no more."""
    weighed = grants(EVERYTHING, trust)
    assert {each for each in CAPABILITIES if weighed.allows(each)} == gets


def test_nothing_asked_nothing_given() -> None:
    """An official plugin that asks for nothing gets nothing."""
    assert grants(Capabilities(), Trust.OFFICIAL).granted == Capabilities()


@pytest.mark.parametrize(
    ("requested", "trust", "said", "granted"),
    [
        (True, Trust.OFFICIAL, False, False),
        (True, Trust.OFFICIAL, (), False),
        (True, Trust.UNTRUSTED, True, True),
        (("a.org",), Trust.UNTRUSTED, True, ("a.org",)),
        (False, Trust.UNTRUSTED, True, True),
        (True, Trust.OFFICIAL, ("a.org",), ("a.org",)),
        (("a.org",), Trust.OFFICIAL, ("b.org",), ("b.org",)),
        (False, Trust.UNTRUSTED, ("a.org",), ("a.org",)),
        (("a.org",), Trust.OFFICIAL, None, ("a.org",)),
        (("a.org",), Trust.COMMUNITY, None, False),
    ],
)
def test_explicit_grants(
    requested: bool | tuple[str, ...],
    trust: Trust,
    said: Grant | None,
    granted: bool | tuple[str, ...],
) -> None:
    """[grants] stands above manifest and level: false denies, true gives what is asked for, a list is exact."""
    explicit: dict[str, Grant] = {} if said is None else {"network": said}
    assert grants(Capabilities(network=requested), trust, **explicit).granted.network == granted


def test_limits() -> None:
    """A limit under [grants] replaces the manifest's, and the others stay."""
    weighed = grants_for(
        manifest(limits=Limits(max_memory_mb=64, max_cpu_seconds=2.0)), Trust.VERIFIED, {"max_memory_mb": 512}
    )
    assert (weighed.limits.max_memory_mb, weighed.limits.max_cpu_seconds) == (512, 2.0)


@pytest.mark.parametrize(
    ("item", "allowed"),
    [
        ("example.org", True),
        ("EXAMPLE.org:8080", True),
        ("example.org.", True),
        ("example.org.evil.net", False),
        ("notexample.org", False),
        ("example.org@evil.net", False),
        ("api.wild.net", True),
        ("a.b.wild.net", True),
        ("wild.net", False),
        ("evilwild.net", False),
        (".wild.net", False),
        ("::1", True),
        ("[::1]:80", True),
        ("[::1", False),
        ("", False),
    ],
)
def test_hosts(item: str, allowed: bool) -> None:
    """A granted host means that host, whatever its spelling or port, and `*.` every host below it."""
    weighed = grants(Capabilities(), Trust.VERIFIED, network=("example.org", "*.wild.net", "::1"))
    assert weighed.allows("network", item) is allowed


def test_paths(tmp_path: Path) -> None:
    """A granted folder covers what lies in it, and neither `..` nor a symbolic link leads out of it."""
    inside, outside = tmp_path / "in", tmp_path / "inner"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    weighed = grants(Capabilities(), Trust.VERIFIED, file_system_read=(str(inside),))
    assert weighed.allows("file_system_read", str(inside / "a" / "b.txt"))
    assert weighed.allows("file_system_read", str(inside))
    for path in (inside / ".." / "inner", outside, inside / "link" / "x"):
        assert not weighed.allows("file_system_read", str(path))
    assert not weighed.allows("file_system_write", str(inside))


def test_boolean_grant_covers_every_item() -> None:
    """A capability that is granted as a whole allows any item of it."""
    assert grants(Capabilities(network=True), Trust.VERIFIED).allows("network", "anything.example")


def test_require() -> None:
    """What is not granted raises CapabilityDenied, whose hint knows whether the manifest asks for it."""
    asked, not_asked = grants(EVERYTHING, Trust.UNTRUSTED), grants(Capabilities(), Trust.OFFICIAL)
    asked.require("llm_access", "the AI port")
    with pytest.raises(CapabilityDenied, match="used GET https://x without the capability 'network'") as caught:
        asked.require("network", "GET https://x", "x")
    assert "[grants.polite]" in caught.value.hint
    with pytest.raises(CapabilityDenied) as caught:
        not_asked.require("network", "GET https://x")
    assert "network = true" in caught.value.hint


def test_unknown_capability() -> None:
    """Asking about a capability that does not exist is a programming error that names the nearest."""
    with pytest.raises(ValueError, match=r"no capability 'netwrok'. Did you mean 'network'"):
        grants(EVERYTHING, Trust.OFFICIAL).allows("netwrok")
