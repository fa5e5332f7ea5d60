"""A line-echo server and its client over the `Network` port. They don't know which world they run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatsim.chat.ports import Address, Network, Stream


async def serve(stream: Stream) -> None:
    """Send back every line until the client closes."""
    while line := await read_line(stream):
        await stream.write(line)


async def ask(network: Network, address: Address, *words: str) -> list[str]:
    """Say the words on one connection, each once the one before has come back; return what came back."""
    stream = await network.connect(address)
    answers = []
    for word in words:
        await stream.write(f"{word}\n".encode())
        answers.append((await read_line(stream)).decode().removesuffix("\n"))
    await stream.close()
    return answers


async def read_line(stream: Stream) -> bytes:
    """One line with its end, or what came before the end of the stream; byte by byte, for want of a buffer."""
    line = b""
    while not line.endswith(b"\n") and (byte := await stream.read(1)):
        line += byte
    return line
