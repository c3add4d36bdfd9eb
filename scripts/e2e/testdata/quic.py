"""A QUIC server at port 443 and a client of it, in the network namespace that this is started in: quic.py CERTIFICATE KEY.

It prints how many UDP datagrams the kernel has counted in this namespace so far (Udp: of /proc/net/snmp), waits for a line, moves
some streams, and prints the numbers again.
"""
import asyncio
import ssl
import sys

from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration


def datagrams():
    with open("/proc/net/snmp") as f:
        names, values = [line.split()[1:] for line in f if line.startswith("Udp:")]
    counts = dict(zip(names, map(int, values)))
    return counts["InDatagrams"], counts["OutDatagrams"]


async def echo(reader, writer):
    writer.write(await reader.read())
    writer.write_eof()


def on_stream(reader, writer):
    asyncio.ensure_future(echo(reader, writer))


async def main(certificate, key):
    server = QuicConfiguration(is_client=False, alpn_protocols=["reel"])
    server.load_cert_chain(certificate, key)
    await serve("127.0.0.1", 443, configuration=server, stream_handler=on_stream)
    print("ready", *datagrams(), flush=True)
    sys.stdin.readline()
    client = QuicConfiguration(is_client=True, alpn_protocols=["reel"], verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", 443, configuration=client) as connection:
        for size in (10, 5000, 100000):
            reader, writer = await connection.create_stream()
            writer.write(b"q" * size)
            writer.write_eof()
            if len(await reader.read()) != size:
                sys.exit("an echo of another size")
    await asyncio.sleep(0.2)  # the last acknowledgements
    print("done", *datagrams(), flush=True)
    sys.stdin.readline()


asyncio.run(main(*sys.argv[1:]))
