"""Customers of the shop: a fixed mix of requests from a few keep-alive connections, for a number of seconds.

client.py ADDRESS SECONDS [CUSTOMERS]. Only the standard library. Prints how many answers had which status.
"""

import collections
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

# weight, method, path, body
MIX = [
    (10, "GET", "/product/{item}", None),
    (6, "GET", "/cart", None),
    (4, "POST", "/cart", {"item": 7, "note": "gift wrapping, please"}),
    (3, "GET", "/", None),  # burns CPU in catalog
    (3, "GET", "/search?q=lamp", None),  # slow, uses no CPU
    (2, "GET", "/products", None),  # ten calls behind one
    (2, "POST", "/checkout", {}),  # waits for a lock, fails at times
    (1, "GET", "/product/4711", None),  # 404
    (1, "DELETE", "/cart", None),  # 204
    (1, "POST", "/cart", {"item": 9, "note": "a long letter. " * 1000}),
]


def customer(number, address, deadline, counts, stop):
    chance = random.Random(number)
    headers = {"Cookie": f"session=customer-{number}", "Authorization": f"Bearer shop-secret-{number}"}
    connection = http.client.HTTPConnection(address, timeout=10)
    while time.monotonic() < deadline and not stop.is_set():
        _, method, path, body = chance.choices(MIX, [m[0] for m in MIX])[0]
        path = path.format(item=chance.randint(1, 120))
        trace = f"{chance.getrandbits(128):032x}"
        sent = dict(headers, **{"X-B3-TraceId": trace, "X-B3-SpanId": trace[16:], "X-B3-Sampled": "1"})
        data = None
        if body is not None:
            data = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            answer.read()
            counts[number][answer.status] += 1
        except (OSError, http.client.HTTPException) as e:
            counts[number][type(e).__name__] += 1
            connection.close()
        stop.wait(chance.uniform(0.002, 0.02))
    connection.close()


def main():
    address, seconds = sys.argv[1], float(sys.argv[2])
    customers = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    stop = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stop.set())
    counts = [collections.Counter() for _ in range(customers)]
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=customer, args=(n, address, deadline, counts, stop)) for n in range(customers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    total = sum(counts, collections.Counter())
    print(f"client {os.getpid()}: " + ", ".join(f"{n} x {status}" for status, n in sorted(total.items(), key=str)))


if __name__ == "__main__":
    main()
