"""HTTPS by asyncio: server.py PORT PEM LOG. Each line of the log is: port of the client, number of the request, target."""
import asyncio
import ssl
import sys

port, pem, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]


async def serve(reader, writer, log):
    peer, n = writer.get_extra_info("peername")[1], 0
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            n += 1
            target = head.split(b" ")[1].decode()
            await asyncio.sleep(0.001 * (n % 5))
            body = (target * 40).encode()[:400]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
            log.write(f"{peer} {n} {target}\n")
            log.flush()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with open(path, "w") as log:
        server = await asyncio.start_server(lambda r, w: serve(r, w, log), "127.0.0.1", port, ssl=context)
        print("ready", flush=True)
        await server.serve_forever()


asyncio.run(main())
