"""A host that has the laptop send wherever it likes: it offers and tells addresses without end, asked or not, and sends
openers from many ports."""

import itertools
import socket
import sys
import threading
import time

LAPTOP = sys.argv[1]
NOBODY = [
    "127.0.0.1:7777", "[::1]:7777", "[::ffff:127.0.0.1]:7777", "0.0.0.0:7777", "224.0.0.1:7777", "239.255.255.250:1900",
    "255.255.255.255:7777", "20.0.1.255:7777", "[ff02::1]:7777", "[fe80::1]:7777",
]
lock = threading.Lock()
fresh = (f"20.0.3.{number % 250 + 1}:{7000 + number // 250}" for number in itertools.count())


def say(line):
    with lock:
        print("MOSHPUNCH", line, flush=True)


def some(count):
    with lock:
        return [next(fresh) for _ in range(count)]


def punched(number):
    for addresses in (NOBODY[:8], NOBODY[8:] + some(6), some(8)):
        say(f"PUNCHED {number}" + "".join(f" from={address}" for address in addresses))


def unasked():
    for number in itertools.count():
        punched(number)
        say("OFFER 1" + "".join(f" mapped={address}" for address in some(4)) + " more")
        time.sleep(0.5)


def openers(cookie, targets):
    to = [target.rsplit(":", 1) for target in targets if target.startswith(LAPTOP)]
    for _ in range(64):
        source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for address, port in to:
            source.sendto(b"moshpunch opener" + bytes.fromhex(cookie), (address, int(port)))


say("OFFER 1 more")
print("MOSH CONNECT 60999 4NeCCgvZFe2RnPgrcU1PQw", flush=True)
say("CHANNEL 1 session=0000cafe window=16384 seen=" + LAPTOP + " punch")
threading.Thread(target=unasked, daemon=True).start()
for line in sys.stdin:
    words = line.split()
    if words[:2] == ["MOSHPUNCH", "PUNCH"]:
        punched(words[2])
        openers(words[3], [word[3:] for word in words[4:] if word.startswith("to=")])
    elif words[:2] == ["MOSHPUNCH", "PING"]:
        say("PONG " + words[2])
