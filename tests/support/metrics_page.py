"""The pages of the admin port, read as a Prometheus server and an orchestrator read them."""

import asyncio
import http.client
import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def scrape(port: int) -> dict[tuple[str, str], float]:
    """Every sample by name and status, as a Prometheus server reads it."""
    with await asyncio.to_thread(
        urllib.request.urlopen, f"http://127.0.0.1:{port}/metrics"
    ) as page:
        text = page.read().decode()
    return {
        (sample.name, sample.labels.get("code", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def status_of(port: int, page: str) -> int:
    """The HTTP status of a page."""

    def asked() -> int:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        link.request("GET", page)
        return link.getresponse().status

    return await asyncio.to_thread(asked)
