"""A TLS front for a server that speaks plain HTTP, on the loopback address, with a certificate made for the occasion."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK = 65536


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key: ECDSA on P-256, which a Java runtime without `jdk.crypto.ec` could not read."""
    certificate, key = folder / "front.pem", folder / "front.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-noenc",
                "-days",
                "2",
            ),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what arrives until the sender has ended."""
    try:
        with suppress(ConnectionError, ssl.SSLError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


async def close(server: asyncio.Server, writers: Iterable[asyncio.StreamWriter]) -> None:
    """Close a server with the connections that clients still keep open: what reads from one reaches its end."""
    server.close()
    for writer in writers:
        writer.close()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


@contextmanager
def tls_front(host: str, port: int, certificate: Path, key: Path) -> Iterator[str]:
    """The https address under which http://HOST:PORT is served too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
        writers.extend((writer, upstream_writer))
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(connected, host, 0, ssl=context), loop).result()
    try:
        yield f"https://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(close(server, writers), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
