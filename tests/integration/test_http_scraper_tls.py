"""The HTTP scraper and the name of a host: certificates, and private addresses."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import which

import pytest

from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import Unavailable
from hotswap_ports.scraper import ScrapeRequest
from tests.integration.web import Reply, serving

PAGE = Reply("<title>Page</title><p>Words.")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    path = tmp_path / "own.pem"
    command = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout {path} -out {path}.crt"  # noqa: E501
    subprocess.run(
        [openssl, *command.split(), "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
async def secure(certificate: Path) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with serving({"/page": PAGE}, tls=context) as web:
        asyncio.get_running_loop().set_exception_handler(lambda loop, event: None)  # failed handshakes are the test
        yield web.base.replace("http://127.0.0.1", "https://localhost") + "/page"


async def test_a_certificate_that_nobody_signed(secure: str) -> None:
    """The page is Unavailable at once, and the hint says how to trust an authority of one's own."""
    async with HttpScraper(HttpScraperConfig(obey_robots=False, retry_wait=30.0)) as scraper:
        with pytest.raises(Unavailable, match="certificate") as caught:
            await scraper.scrape(ScrapeRequest(secure, timeout=10))
    assert "SSL_CERT_FILE" in caught.value.hint


@pytest.mark.parametrize("block_private", [False, True])
async def test_an_authority_of_ones_own(
    secure: str, certificate: Path, block_private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SSL_CERT_FILE the page is read; also where the connection goes to an address that was looked at."""

    async def resolved(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        assert host == "localhost"
        return [(None, None, None, "", ("127.0.0.1", port))]

    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    if block_private:  # to Python every address of this machine is private: here it is taken for a public one
        monkeypatch.setattr("hotswap_adapters.scraper.wire._is_public", lambda address: True)
        monkeypatch.setattr("anyio.getaddrinfo", resolved)
    async with HttpScraper(HttpScraperConfig(block_private=block_private, obey_robots=False)) as scraper:
        page = await scraper.scrape(ScrapeRequest(secure, timeout=10))
    assert page.title == "Page"
    assert page.url == secure
