"""A UPnP router that misbehaves in one way, as public reports tell of routers.

Arguments: the way, the address inside, the address outside, the file that shows its table. Prints what it is asked.
"""

import re
import socket
import struct
import sys
import threading
import time

WAY, INSIDE, OUTSIDE, TABLE_FILE = sys.argv[1:5]
NEIGHBOUR = "192.168.1.2"
HTTP_PORT = 5431
GATEWAY = "urn:schemas-upnp-org:device:InternetGatewayDevice:%d"
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
ENVELOPE = '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>'

table = {}
lock = threading.Lock()
only_connection = threading.Lock()
kept_open = []


def say(line):
    print(line, flush=True)


def show_table():
    with open(TABLE_FILE, "w") as file:
        for port, (client, internal, description, lease) in sorted(table.items()):
            file.write(f"{port} {client}:{internal} {lease} {description}\n")


def description(name):
    def device(kind, inside):
        kind = f"urn:schemas-upnp-org:device:{kind}:1"
        return f"<device><deviceType>{kind}</deviceType><friendlyName>{name}</friendlyName>{inside}</device>"

    service = (
        f"<serviceList><service><serviceType>{SERVICE}</serviceType><SCPDURL>/s.xml</SCPDURL>"
        "<controlURL>/ctl</controlURL><eventSubURL>/e</eventSubURL></service></serviceList>"
    )
    connection = device("WANConnectionDevice", service)
    wan = device("WANDevice", f"<deviceList>{connection}</deviceList>")
    gateway = device("InternetGatewayDevice", f"<deviceList>{wan}</deviceList>")
    return f'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">{gateway}</root>'


def http(status, body):
    length = f"Content-Length: {len(body)}\r\n"
    head = {
        "keepopen": f"HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\n",
        "longlength": f"HTTP/1.1 {status} X\r\nContent-Length: {len(body) + 10}\r\n",
        "lowhttp": f"http/1.1 {status} ok\r\n{length}",
    }.get(WAY, f"HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nConnection: close\r\n{length}")
    return f"{head}\r\n{body}".encode()


def fault(code):
    detail = f"<detail><UPnPError><errorCode>{code}</errorCode></UPnPError></detail>"
    return http(500, ENVELOPE % f"<s:Fault><faultstring>UPnPError</faultstring>{detail}</s:Fault>")


def done(action, **arguments):
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    return http(200, ENVELOPE % f'<u:{action}Response xmlns:u="{SERVICE}">{inside}</u:{action}Response>')


def entry(action, client, internal, description, lease, **more):
    return done(
        action,
        **more,
        NewInternalPort=internal,
        NewInternalClient=client,
        NewEnabled=1 if internal else 0,
        NewPortMappingDescription=description,
        NewLeaseDuration=lease,
    )


REFUSED_LEASES = {"17": lambda: fault(-911), "17empty": lambda: http(500, ""), "17-501": lambda: fault(501), "17-600": lambda: fault(600)}
NO_ENTRY = {"20": "", "20zero": "0.0.0.0"}


def add(action, argument):
    lease = argument("NewLeaseDuration")
    if WAY in REFUSED_LEASES and lease != "0":
        return REFUSED_LEASES[WAY]()
    client, text = argument("NewInternalClient"), argument("NewPortMappingDescription")
    if WAY == "18":
        text = "UPnP"
    if WAY == "18_":
        text = text.replace(" ", "_")
    if WAY == "19":
        client = "server.lan"
    if WAY == "19zero":
        client = ".".join(f"{int(part):03}" for part in client.split("."))
    table[argument("NewExternalPort")] = (client, argument("NewInternalPort"), text, lease)
    return done(action)


def act(action, argument):
    port = argument("NewExternalPort")
    if action == "GetExternalIPAddress":
        return done(action, NewExternalIPAddress=OUTSIDE)
    if action == "GetStatusInfo":
        return done(action, NewConnectionStatus="Connected", NewLastConnectionError="ERROR_NONE", NewUptime=100)
    if action == "AddPortMapping":
        return add(action, argument)
    if action == "DeletePortMapping":
        return done(action) if table.pop(port, None) else fault(714)
    if action == "GetSpecificPortMappingEntry":
        if port in table:
            return entry(action, *table[port])
        return entry(action, NO_ENTRY[WAY], 0, "", 0) if WAY in NO_ENTRY else fault(714)
    if action == "GetGenericPortMappingEntry":
        index = int(argument("NewPortMappingIndex"))
        if index >= len(table):
            return fault(713)
        port, values = list(table.items())[index]
        return entry(action, *values, NewRemoteHost="", NewExternalPort=port, NewProtocol="UDP")
    return fault(401)


def answer(head, body):
    """The reply, and how long it takes."""
    if head.startswith(b"GET"):
        say("description")
        return http(200, description("router")), 0
    action = re.search(rb'(?i)soapaction: *"?[^#]*#(\w+)', head)[1].decode()
    text = body.decode()

    def argument(name):
        found = re.search(f"<{name}[^>]*>([^<]*)</{name}>", text)
        return found[1] if found else ""

    with lock:
        reply = act(action, argument)
        show_table()
    port, lease = argument("NewExternalPort"), argument("NewLeaseDuration")
    say(f"{action} {port} lease={lease} -> {reply.split(b' ')[1].decode()}")
    return reply, 3 if WAY == "slow3" else 0


def read_request(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return None
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head, body


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def serve_one(connection):
    connection.settimeout(5)
    request = read_request(connection)
    if request is None:
        return connection.close()
    reply, seconds = answer(*request)
    time.sleep(seconds)
    if WAY == "16":
        time.sleep(0.02)
    connection.sendall(reply)
    if WAY in ("keepopen", "longlength"):
        kept_open.append(connection)
    else:
        connection.close()


def serve(connection):
    if WAY != "16":
        return serve_one(connection)
    if not only_connection.acquire(blocking=False):
        say("RESET")
        return reset(connection)
    try:
        serve_one(connection)
    finally:
        only_connection.release()


def serve_neighbour(listener):
    """An access point that offers the same service, and is not connected."""
    replies = {
        "GetStatusInfo": {"NewConnectionStatus": "Disconnected", "NewUptime": 0},
        "GetExternalIPAddress": {"NewExternalIPAddress": "0.0.0.0"},
    }
    while True:
        connection, _ = listener.accept()
        request = connection.recv(65536).decode()
        action = re.search(r"#(\w+)", request)
        action = action[1] if action else "description"
        say(f"neighbour: {action}")
        if action == "description":
            connection.sendall(http(200, description("access point")))
        elif action in replies:
            connection.sendall(done(action, **replies[action]))
        else:
            connection.sendall(fault(501))
        connection.close()


def search_reply(sender, target, unique, who):
    location = f"http://{sender}:{HTTP_PORT}/igd.xml"
    reply = f"HTTP/1.1 200 OK\r\nST: {target}\r\nUSN: {unique}\r\nLOCATION: {location}\r\nEXT:\r\n\r\n"
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    out.bind((sender, 1900))
    out.sendto(reply.encode(), who)
    out.close()


def answer_search(target, who):
    """As the router; in `apdown` it knows version 2 alone, and the neighbour the other."""
    if WAY == "apdown":
        if target == GATEWAY % 1:
            search_reply(NEIGHBOUR, target, f"uuid:2::{target}", who)
        if target == GATEWAY % 2:
            search_reply(INSIDE, target, f"uuid:1::{target}", who)
        return
    answered = {"21only": ["upnp:rootdevice"], "21all": ["ssdp:all", "upnp:rootdevice"]}
    if target not in answered.get(WAY, ["ssdp:all", "upnp:rootdevice", GATEWAY % 1, SERVICE]):
        return
    unique = f"uuid:1::{target}"
    if WAY == "21":
        target, unique = "upnp:rootdevice", "uuid:11-22::upnp:rootdevic"
    search_reply(INSIDE, target, unique, who)


def listen_for_searches(listener):
    while True:
        datagram, who = listener.recvfrom(2048)
        target = re.search(rb"(?im)^ST:\s*(\S+)", datagram)
        if datagram.startswith(b"M-SEARCH") and target:
            answer_search(target[1].decode(), who)


def searches():
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", 1900))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(INSIDE)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    return listener


def connections(address):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, HTTP_PORT))
    listener.listen(50)
    return listener


def run(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()


show_table()
run(listen_for_searches, searches())
if WAY == "apdown":
    run(serve_neighbour, connections(NEIGHBOUR))
listener = connections(INSIDE)
say("serving")
while True:
    run(serve, listener.accept()[0])
