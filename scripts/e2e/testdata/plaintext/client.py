"""HTTPS by asyncio: client.py PORT CONNECTIONS REQUESTS, all of equal size."""
import asyncio
import ssl
import sys

port, connections, requests = (int(a) for a in sys.argv[1:])


async def one(i):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    for k in range(requests):
        target = b"/c%03d/r%03d" % (i, k)
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        await reader.readuntil(b"\r\n\r\n")
        assert (await reader.readexactly(400)).startswith(target)
    writer.close()


async def main():
    await asyncio.gather(*(one(i) for i in range(connections)))


asyncio.run(main())
