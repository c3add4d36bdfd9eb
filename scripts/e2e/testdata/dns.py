"""A name server at port 53 of any address. shop.test has two addresses, slow.test one after 100 ms; silent.test is not answered the first time;
other names do not exist, and none has a record of another type than A. Names come in any case, and go back as they came."""
import socket
import struct
import time

ADDRESSES = {b"shop": [b"\x0a\0\0\x07", b"\x0a\0\0\x08"], b"slow": [b"\x0a\0\0\x09"], b"silent": [b"\x0a\0\0\x0a"]}
seen = set()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    query, peer = sock.recvfrom(4096)
    end = 12
    while query[end]:
        end += 1 + query[end]
    first = query[13:13 + query[12]].lower()
    kind = struct.unpack(">H", query[end + 1:end + 3])[0]
    found = first in ADDRESSES
    answers = ADDRESSES.get(first, []) if kind == 1 else []
    if first == b"slow":
        time.sleep(0.1)
    if first == b"silent" and kind not in seen:
        seen.add(kind)
        continue
    head = query[:2] + struct.pack(">HHHHH", 0x8180 if found else 0x8183, 1, len(answers), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + a for a in answers)
    sock.sendto(head + query[12:end + 5] + body, peer)
