"""Runs Ferry and its peers in turn over the same servers and measures them from outside. Called by deploy/bench.

A program's workers are processes of its own; what they have done is read from queue depths and from rows in PostgreSQL, the
processor's time and memory from /proc. Times are those of the monotonic clock, which the vendors' stand-ins share.
Needs python3-amqp and python3-psycopg2 from Debian.
"""
import argparse
import json
import os
import platform
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from urllib.parse import unquote, urlparse

import amqp
import psycopg2

import sampling

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
IN_FLIGHT = 16          # Saves under way at a time, per loader
DETAILS_IN_FLIGHT = 32  # order/info under way at a time


# -- what /proc says ---------------------------------------------------------------------------------------------------


def children(pid):
    out = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in open(f"/proc/{pid}/task/{task}/children").read().split():
                out += children(int(child))
    except OSError:
        pass
    return out


def cpu_of(pid):
    """Processor seconds of a process and its children, those that have ended among them."""
    total = 0
    for each in children(pid):
        try:
            fields = open(f"/proc/{each}/stat").read().rsplit(")", 1)[1].split()
            total += sum(int(x) for x in fields[11:15]) / TICK
        except OSError:
            pass
    return total


def memory_of(pid, what):
    """VmRSS or VmHWM of the largest of a process and its children, in MiB."""
    most = 0.0
    for each in children(pid):
        try:
            for line in open(f"/proc/{each}/status"):
                if line.startswith(what + ":"):
                    most = max(most, int(line.split()[1]) / 1024)
        except OSError:
            pass
    return round(most, 1)


def machine():
    """The processor's name, memory, kernel, and how busy the machine is."""
    model = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), platform.machine())
    memory = int(open("/proc/meminfo").readline().split()[1]) // 1024
    return {"processor": model, "memory_mib": memory, "kernel": platform.release(), "load": open("/proc/loadavg").read().split()[:3]}


def machine_busy():
    fields = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return sum(fields), sum(fields) - fields[3] - fields[4]


def http(url, body=None):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=60).read()


class Failure(SystemExit):
    pass


# -- the servers -------------------------------------------------------------------------------------------------------


class Vendors:
    """The stand-ins. OKKI is started anew for each number of orders; K/3 stays."""

    def __init__(self, vendorsim, folder):
        self.vendorsim, self.folder, self.okki, self.orders = vendorsim, folder, None, None
        self.k3_process, self.k3_url = self.start("k3")

    def start(self, what, *options):
        file = os.path.join(self.folder, f"{what}.port")
        if os.path.exists(file):
            os.unlink(file)
        process = subprocess.Popen([self.vendorsim, "lean", what, "--port-file", file, *options],
                                   stdout=subprocess.DEVNULL, start_new_session=True)
        while not os.path.exists(file):
            if process.poll() is not None:
                raise Failure(f"the stand-in {what} does not start")
            time.sleep(.01)
        return process, f"http://127.0.0.1:{open(file).read().strip()}"

    def with_orders(self, count):
        if self.orders != count:
            if self.okki:
                stop([self.okki])
            self.okki, self.okki_url = self.start("okki", "--orders", str(count))
            self.orders = count
        http(self.okki_url + "/_lean", b"")
        return self.okki_url

    def k3(self, latency_ms):
        http(self.k3_url + "/_admin/reset", b"{}")
        http(f"{self.k3_url}/_lean?latency_ms={latency_ms}", b"")

    def state(self, url):
        return json.loads(http(url + "/_lean"))

    def end(self):
        stop([p for p in (self.okki, self.k3_process) if p])


def stop(processes):
    for p in processes:
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
    for p in processes:
        try:
            p.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()


# -- the programs ------------------------------------------------------------------------------------------------------


class Program:
    """One of those that are compared: how its workers are started and where its work shows."""
    name = ""
    orders, bills = "orders", "bills"
    dead = ("orders.dead", "bills.dead")

    def __init__(self, place):
        self.place = place

    def connect(self, amqp_url, postgres_url):
        u = urlparse(amqp_url)
        self.amqp = amqp.Connection(f"{u.hostname}:{u.port}", userid=unquote(u.username), password=unquote(u.password),
                                    virtual_host=unquote(u.path[1:]) or "/")
        self.amqp.connect()
        self.channel = self.amqp.channel()
        self.pg = psycopg2.connect(postgres_url)
        self.pg.autocommit = True

    def one(self, sql):
        with self.pg.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def depth(self, queue):
        return self.channel.queue_declare(queue, passive=True).message_count

    def consumers(self, queue):
        return self.channel.queue_declare(queue, passive=True).consumer_count

    def parked(self):
        return sum(self.depth(q) for q in self.dead)

    def transformed(self, processes):
        """How many orders are bills in the next queue."""
        return self.depth(self.bills) + self.depth(self.dead[0])

    def purge(self):
        for queue in (self.orders, self.bills, *self.dead):
            self.channel.queue_purge(queue)

    def told(self):
        """The settings that it is given, without secrets and addresses."""
        return {k: v for k, v in self.environment().items() if k.startswith(("FERRY_", "PEER_"))
                and not re.search("URL|SECRET|CODE|CLIENT|SCHEMA|STRATEGIES|PORT", k)}

    def spawn(self, command, environment, **streams):
        return subprocess.Popen(command, env=environment, start_new_session=True, cwd=self.place.folder,
                                stdin=streams.get("stdin", subprocess.DEVNULL),
                                stdout=streams.get("stdout", self.place.log), stderr=streams.get("stderr", self.place.log),
                                text=True)


class Ferry(Program):
    name = "Ferry"

    def __init__(self, place):
        super().__init__(place)
        self.serial = 0
        self.sampled = None
        self.connect(place.amqp_url("ferry"), place.postgres_url)
        self.schema = None

    def environment(self):
        p = self.place
        env = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR") if k in os.environ}
        env.update({
            "FERRY_OKKI_URL": p.vendors.okki_url, "FERRY_OKKI_CLIENT_ID": "bench", "FERRY_OKKI_CLIENT_SECRET": "bench",
            "FERRY_OKKI_RATE_PER_SECOND": "100000", "FERRY_OKKI_CONCURRENCY": str(DETAILS_IN_FLIGHT),
            "FERRY_K3_URL": p.vendors.k3_url, "FERRY_K3_AUTHORITY_CODE": "0123456789abcdef0123456789abcdef",
            "FERRY_K3_CONCURRENCY": str(IN_FLIGHT), "FERRY_RABBITMQ_URL": p.amqp_url("ferry"),
            "FERRY_RABBITMQ_MANAGEMENT_URL": p.management_url, "FERRY_POSTGRES_URL": p.postgres_url,
            "FERRY_POSTGRES_SCHEMA": self.schema, "FERRY_STRATEGIES": p.strategies,
            "FERRY_POLL_SINCE": "2000-01-01 00:00:00", "FERRY_ADMIN_PORT": "0", "FERRY_LOG_LEVEL": "warning"})
        env.update(p.ferry_settings)
        return env

    def clean(self):
        """A schema of its own, so that every run begins with nothing."""
        if self.schema:
            with self.pg.cursor() as cursor:
                cursor.execute(f'drop schema "{self.schema}" cascade')
        self.serial += 1
        self.schema = f"bench{self.serial}"
        done = self.spawn([self.place.ferry, "migrate"], self.environment())
        if done.wait() != 0:
            raise Failure(f"ferry migrate fails; see {self.place.log.name}")
        with self.pg.cursor() as cursor:
            cursor.execute(f"set search_path to {self.schema}")
            cursor.execute("checkpoint")
        self.purge()

    def start(self, role, count):
        started = []
        sampled = sampling.command(f"{self.place.folder}/{role}.perf") if self.sampled == role else []
        for _ in range(count):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            process = self.spawn([*sampled, self.place.ferry, role], dict(self.environment(), FERRY_ADMIN_PORT=str(port)))
            process.admin = f"http://127.0.0.1:{port}/metrics"
            started.append(process)
        return started

    def transformed(self, processes):
        """Of orders that are acknowledged the bills are confirmed. A message holds several, so depths do not tell."""
        total = 0
        for p in processes:
            try:
                text = http(p.admin).decode()
            except OSError:
                continue
            total += sum(int(float(x)) for x in re.findall(r'^ferry_settled_total\{stage="transform"\} (\S+)', text, re.M))
        return total

    def release(self, processes):
        """Ferry's workers begin at once."""

    def poll(self, expected):
        """Polls into an empty queue. From OKKI's first request until all is published and recorded."""
        process = self.start("poll", 1)[0]
        started = 0.0  # what its start has cost: the peers wait, started, for a word
        while not self.place.vendors.state(self.place.vendors.okki_url)["calls"]:
            self.place.alive([process])
            started = cpu_of(process.pid)
            time.sleep(.005)
        self.place.until([process], expected,
                         lambda: self.one("select count(*) from order_revisions where published"))
        end = time.monotonic()
        begun = self.place.vendors.state(self.place.vendors.okki_url)["first_call_ns"] / 1e9
        return process, expected, begun, end, cpu_of(process.pid) - started

    def written(self):
        return self.one("select count(*) from order_ledger where state = 'written'")

    def message(self, order, envelope):
        """An order as the poller publishes it."""
        headers = {"ferry-format": 1, "ferry-order-id": order["order_id"], "ferry-order-number": order["order_no"],
                   "ferry-revision": 1, "ferry-update-time": 1_700_000_000, "ferry-attempt": 1,
                   "ferry-first-seen": int(time.time() * 1000)}
        return amqp.Message(envelope, content_type="application/json", message_id=f"{order['order_id']}-1", type="order",
                            app_id="ferry", delivery_mode=2, application_headers=headers), "ferry"


class Peer(Program):
    """The peers' common queues and tables (peers' README)."""

    def __init__(self, place):
        super().__init__(place)
        self.connect(place.amqp_url("peers"), place.postgres_peers)
        sys.path.insert(0, place.peers)
        self.ddl()

    def ddl(self):
        source = open(os.path.join(self.place.peers, "common.py")).read()
        ddl = source.split('DDL = """', 1)[1].split('"""', 1)[0]
        with self.pg.cursor() as cursor:
            cursor.execute(ddl)
        ch = self.channel
        ch.exchange_declare("dead", "direct", durable=True, auto_delete=False)
        for q in (self.orders, self.bills):
            ch.queue_declare(f"{q}.dead", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
            ch.queue_bind(f"{q}.dead", "dead", f"{q}.dead")
            ch.queue_declare(q, durable=True, auto_delete=False, arguments={
                "x-queue-type": "quorum", "x-dead-letter-exchange": "dead", "x-dead-letter-routing-key": f"{q}.dead",
                "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish", "x-delivery-limit": 20})

    def environment(self):
        p = self.place
        return dict(os.environ, PEER_AMQP_URL=p.amqp_url("peers"), PEER_POSTGRES_URL=p.postgres_peers,
                    PEER_OKKI_URL=p.vendors.okki_url, PEER_K3_URL=p.vendors.k3_url, PEER_OKKI_CLIENT_ID="bench",
                    PEER_OKKI_CLIENT_SECRET="bench", PEER_K3_AUTHORITY_CODE="0123456789abcdef0123456789abcdef",
                    PEER_K3_CONCURRENCY=str(IN_FLIGHT), PEER_INFO_CONCURRENCY=str(DETAILS_IN_FLIGHT), **self.settings)

    settings = {}

    def clean(self):
        self.purge()
        with self.pg.cursor() as cursor:
            cursor.execute("truncate peer_bill, peer_watermark, peer_customer")
            rows, page = [], 1
            while True:
                data = json.loads(http(f"{self.place.vendors.okki_url}/v1/company/list?count=500&start_index={page}"))["data"]
                rows += [(int(x["company_id"]), x["serial_id"], x["name"]) for x in data["list"]]
                if page * 500 >= int(data["totalItem"]):
                    break
                page += 1
            for row in rows:
                cursor.execute("insert into peer_customer values (%s, %s, %s)", row)
            cursor.execute("checkpoint")
        with self.pg.cursor() as cursor:
            cursor.execute("vacuum analyze peer_bill")

    def start(self, role, count):
        started = [self.spawn([*self.command, role, "--wait"], self.environment(), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE if role == "poll" else self.place.log, stderr=subprocess.PIPE)
                   for _ in range(count)]
        for p in started:
            line = p.stderr.readline()
            if '"ready"' not in line:
                raise Failure(f"{self.name} {role} does not start: {line}{p.stderr.read()}")
        return started

    def release(self, processes):
        for p in processes:
            p.stdin.write("\n")
            p.stdin.flush()

    def poll(self, expected):
        process = self.start("poll", 1)[0]
        self.release([process])
        line = process.stdout.readline()
        if not line:
            raise Failure(f"{self.name} poll fails: {process.stderr.read()}")
        told = json.loads(line)
        return process, told["orders"], told["start"], told["end"], told["cpu"]

    def written(self):
        return self.one("select count(*) from peer_bill where state = 'written'")

    def message(self, order, envelope):
        return amqp.Message(envelope, content_type="application/json", message_id=str(order["order_id"]),
                            delivery_mode=2), ""


class Go(Peer):
    name = "Go"

    @property
    def command(self):
        return [self.place.go_peer]


class Asyncio(Peer):
    name = "asyncio"

    @property
    def command(self):
        return [self.place.python, os.path.join(self.place.peers, "asyncio_peer.py")]


class Celery(Peer):
    """One supervisor a role, with as many processes as served it best on 2 cores; it consumes as soon as it is up."""
    name, processes = "Celery", 4

    def start(self, role, count):
        if role == "poll":
            return super().start(role, count)
        return [self.spawn([*self.command, role, "--concurrency", str(self.processes)], self.environment()) for _ in range(count)]

    def release(self, processes):
        super().release([p for p in processes if p.stdin])

    @property
    def command(self):
        return [self.place.python, os.path.join(self.place.peers, "celery_peer.py")]


class CeleryBatches(Celery):
    name, processes = "Celery in batches", 2
    settings = {"PEER_CELERY_BATCH": "64"}


PROGRAMS = {"ferry": Ferry, "go": Go, "asyncio": Asyncio, "celery": Celery, "celery-batches": CeleryBatches}


# -- the measures ------------------------------------------------------------------------------------------------------


class Place:
    """Where everything is, and what the measures have in common."""

    def __init__(self, a):
        self.a = a
        self.folder, self.ferry = a.folder, a.ferry
        self.log = open(os.path.join(a.folder, "logs", "workers.log"), "a")
        self.postgres_url, self.postgres_peers = a.postgres, a.postgres_peers
        self.management_url = a.management
        self.strategies, self.peers, self.go_peer, self.python = a.strategies, a.peers, a.go_peer, a.python
        self.broker_pid, self.postgres_pid = a.broker_pid, a.postgres_pid
        self.ferry_settings = dict(s.split("=", 1) for s in a.setting)
        self.vendors = Vendors(a.vendorsim, a.folder)
        self.vendors.with_orders(a.orders)

    def amqp_url(self, vhost):
        return self.a.amqp + vhost

    def alive(self, processes):
        for p in processes:
            if p.poll() not in (None, 0):
                raise Failure(f"a worker ended with {p.returncode}: {p.stderr.read() if p.stderr else ''} "
                              f"see {self.log.name}")

    def until(self, processes, goal, count, limit=600):
        """Watches a growing count, rarely while the goal is far, so that watching costs the servers nothing."""
        begun = last = time.monotonic()
        before = -1
        while True:
            n, now = count(), time.monotonic()
            if n >= goal:
                return now
            self.alive(processes)
            if n != before:
                before, last = n, now
            elif now - last > limit:
                raise Failure(f"nothing moves: {n} of {goal}")
            left = (goal - n) * (now - begun) / n if n else .1
            time.sleep(min(.5, max(.004, left / 3)))

    def meter(self, processes):
        return Meter(self, processes)


class Meter:
    """Processor time from here on: of the workers, the broker, PostgreSQL, the stand-ins."""

    def __init__(self, place, processes):
        self.place, self.processes = place, processes
        self.begun = time.monotonic()
        self.before, self.machine = self.read(), machine_busy()

    def read(self):
        p = self.place
        return {"client": sum(cpu_of(x.pid) for x in self.processes), "broker": cpu_of(p.broker_pid),
                "postgres": cpu_of(p.postgres_pid),
                "vendors": cpu_of(p.vendors.k3_process.pid) + cpu_of(p.vendors.okki.pid)}

    def row(self, orders, seconds, **more):
        now, machine = self.read(), machine_busy()
        cpu = {k: round((now[k] - self.before[k]) / orders * 1000, 4) for k in now}
        cpu.update(more.pop("cpu", {}))
        busy = (machine[1] - self.machine[1]) / max(1, machine[0] - self.machine[0])
        return {"orders": orders, "seconds": round(seconds, 4), "per_second": round(orders / seconds, 1),
                "cpu_per_1000": cpu, "busy": round(busy, 2), **more}


def fill(program, count, bills=False):
    """Puts orders (or bills) into the queue by the program's own poller (and transformer)."""
    poller, got, *_ = program.poll(count)
    stop([poller])
    if bills:
        workers = program.start("transform", 1)
        program.release(workers)
        program.place.until(workers, got, lambda: program.transformed(workers))
        stop(workers)
    return got


def drain(program, role, source, goal, done, workers=1):
    """Workers on a queue that is full: from the first delivery until all is done."""
    place = program.place
    full = program.depth(source)
    processes = program.start(role, workers)
    meter = place.meter(processes)
    program.release(processes)
    while program.depth(source) == full:
        meter = place.meter(processes)
        place.alive(processes)
        time.sleep(.002)
    end = place.until(processes, goal, lambda: done(processes))
    row = meter.row(goal, end - meter.begun, peak_mib=max(memory_of(p.pid, "VmHWM") for p in processes))
    stop(processes)
    return row


def measure_phases(program):
    """poll, transform and load one after the other, K/3 without latency."""
    place = program.place
    place.vendors.with_orders(place.a.orders)
    place.vendors.k3(0)
    program.clean()
    out = {}
    meter = place.meter([])
    process, count, begun, end, cpu = program.poll(place.a.orders)
    out["poll"] = meter.row(count, end - begun, peak_mib=memory_of(process.pid, "VmHWM"),
                            cpu={"client": round(cpu / count * 1000, 4)})
    stop([process])
    out["transform"] = drain(program, "transform", program.orders, count,
                             program.transformed)
    out["load"] = drain(program, "load", program.bills, count, lambda _: program.written() + program.parked())
    check(program, count)
    return out


def measure_sustained(program):
    """The phases with ten times as many orders, of which a start or one stall is a small part."""
    orders = program.place.a.orders
    program.place.a.orders = orders * 10
    try:
        return {f"sustained {name}": row for name, row in measure_phases(program).items()}
    finally:
        program.place.a.orders = orders


def check(program, count):
    """Nothing of the benchmark's orders may be refused, parked or doubled."""
    state = program.place.vendors.state(program.place.vendors.k3_url)
    if (state["bills"], state["refused"], program.written(), program.parked()) != (count, 0, count, 0):
        raise Failure(f"{program.name}: of {count} orders {program.written()} written, {program.parked()} parked, K/3 {state}")


def measure_profile(program):
    """The phases once more for each role, which is sampled meanwhile: where its processor time goes, by rooms."""
    out = {}
    for phase, role in (("poll", "poll"), ("transform", "transform"), ("load", "load")):
        program.sampled = role
        orders = measure_phases(program)[phase]["orders"]
        program.sampled = None
        seconds, rooms, functions = sampling.shares(f"{program.place.folder}/{role}.perf")
        us = seconds * 1e6 / orders
        out[f"profile {phase}"] = {"us": round(us, 1), "rooms": [
            {"room": room, "share": round(share, 3), "kernel": round(kernel, 3), "us": round(share * us, 1)}
            for room, share, kernel in rooms],
            "functions": [{"function": name, "us": round(share * us, 2)} for name, share in functions]}
    return out


def profile_table(rows):
    lines = ["| role | room | µs an order | of all | in the kernel |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name.split()[1]} | all, its start among it | {row['us']} | | |")
        for part in row["rooms"]:
            if part["share"] >= .01:
                lines.append(f"| {name.split()[1]} | {part['room']} | {part['us']} | {part['share']:.1%} | {part['kernel']:.1%} |")
    for name, row in rows.items():
        lines.append(f"{name.split()[1]}, functions with what they call: "
                     + ", ".join(f"{x['function']} {x['us']}" for x in row["functions"]))
    return "\n".join(lines)


def measure_limit(program):
    """What the broker lets through of the same bytes without any application around it: an order a message, and 16 of them, as
    in Ferry's."""
    place = program.place
    program.clean()
    out = {}
    for together in (1, 16):
        # The sizes are the program's own defaults for one order.
        count, sizes = max(place.a.orders // together, 1), (2000 * together, 1300 * together)
        done = subprocess.run([place.a.limit, place.amqp_url("peers"), *map(str, (count, *sizes))], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"the broker's limit: {done.stderr}")
        out[f"limit {together}"] = {key: told * together for key, told in json.loads(done.stdout).items() if key.endswith("_per_s")}
    return out


def measure_load(latency, per_loader, workers=1):
    def measure(program):
        place = program.place
        count = per_loader * workers
        place.vendors.with_orders(count)
        place.vendors.k3(latency)
        program.clean()
        fill(program, count, bills=True)
        row = drain(program, "load", program.bills, count, lambda _: program.written() + program.parked(), workers)
        row["possible"] = round(workers * IN_FLIGHT * 1000 / latency, 1)
        row["of_possible"] = round(row["per_second"] / row["possible"], 3)
        check(program, count)
        return {f"load {latency} ms" + (f" x{workers}" if workers > 1 else ""): row}
    return measure


def measure_loaders(program):
    out = {}
    for workers in (1, 2, 4, 8):
        # Long, since the clock begins with the first loader's first bill, while the others still start.
        for row in measure_load(200, 1600, workers)(program).values():
            out[f"loaders {workers}"] = row
    return out


def measure_together(program):
    """All workers up and idle, then the poller: from its first request until the last order is written."""
    place = program.place
    place.vendors.with_orders(place.a.backlog)
    place.vendors.k3(0)
    program.clean()
    workers = program.start("transform", 1) + program.start("load", 1)
    program.release(workers)
    place.until(workers, 2, lambda: program.consumers(program.orders) + program.consumers(program.bills), 60)
    time.sleep(2)
    meter = place.meter(workers)
    poller, count, begun, polled, cpu = program.poll(place.a.backlog)
    end = place.until(workers, count, lambda: program.written() + program.parked())
    peak = {role: memory_of(p.pid, "VmHWM") for role, p in zip(("transform", "load", "poll"), [*workers, poller])}
    row = meter.row(count, end - begun, peak_mib=max(peak.values()), peaks=peak)
    row["cpu_per_1000"]["client"] = round(row["cpu_per_1000"]["client"] + cpu / count * 1000, 4)
    stop([*workers, poller])
    check(program, count)
    return {"together": row}


def measure_latency(rate, seconds=15):
    """Open loop: orders are published at their times, whatever becomes of them; until K/3 has answered the Save."""
    def measure(program):
        place = program.place
        count = rate * seconds
        place.vendors.with_orders(count)
        place.vendors.k3(0)
        program.clean()
        if isinstance(program, Ferry):       # the customers come with the orders
            fill(program, count)
            program.purge()
        base = place.vendors.okki_url + "/v1/invoices/order/info?order_id="
        bodies = []
        for i in range(count):
            raw = http(base + str(5203556502 + 7 * i))
            bodies.append((json.loads(raw)["data"], raw[raw.index(b'"data":') + 7:-1]))
        workers = program.start("transform", 1) + program.start("load", 1)
        program.release(workers)
        place.until(workers, 2, lambda: program.consumers(program.orders) + program.consumers(program.bills), 60)
        time.sleep(1)
        meter = place.meter(workers)
        begun = time.monotonic() + .1
        for i, (order, raw) in enumerate(bodies):
            wait = begun + i / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            message, exchange = program.message(order, raw)
            program.channel.basic_publish(message, exchange=exchange, routing_key="orders")
        end = place.until(workers, count, lambda: program.written() + program.parked())
        row = meter.row(count, end - begun, peak_mib=max(memory_of(p.pid, "VmHWM") for p in workers))
        stop(workers)
        due = {order["order_no"]: begun + i / rate for i, (order, _) in enumerate(bodies)}
        took = sorted(int(at) / 1e9 - due[number] for number, at in
                      (line.split() for line in http(place.vendors.k3_url + "/_lean/journal").decode().splitlines()))
        row["p50_ms"], row["p99_ms"] = (round(took[int(len(took) * q)] * 1000, 2) for q in (.5, .99))
        row["max_ms"] = round(took[-1] * 1000, 2)
        check(program, count)
        return {f"latency {rate}/s": row}
    return measure


def measure_start(program):
    """From the start of the process until its consumer is there; memory 3 s later."""
    place = program.place
    place.vendors.with_orders(place.a.orders)
    program.clean()
    out = {}
    for role, queue in (("transform", program.orders), ("load", program.bills)):
        begun = time.monotonic()
        processes = program.start(role, 1)
        program.release(processes)
        while not program.consumers(queue):
            place.alive(processes)
            time.sleep(.001)
        ready = time.monotonic() - begun
        time.sleep(3)
        cpu = cpu_of(processes[0].pid)
        time.sleep(5)
        out[f"start {role}"] = {"ready_ms": round(ready * 1000, 1), "idle_mib": memory_of(processes[0].pid, "VmRSS"),
                                "idle_cpu_percent": round((cpu_of(processes[0].pid) - cpu) / 5 * 100, 2)}
        stop(processes)
        place.until([], 0, lambda: -program.consumers(queue), 30)
    if isinstance(program, Ferry):  # The peers' pollers end when all is polled.
        out["start poll"] = start_of_poller(program)
    return out


def start_of_poller(program):
    """Until its first request to OKKI, and while it rests after a cycle of one order."""
    place = program.place
    place.vendors.with_orders(1)
    begun = time.monotonic()
    process = program.start("poll", 1)[0]
    while not place.vendors.state(place.vendors.okki_url)["calls"]:
        place.alive([process])
        time.sleep(.001)
    ready = time.monotonic() - begun
    place.until([process], 1, lambda: program.one("select count(*) from order_revisions where published"))
    time.sleep(3)
    cpu = cpu_of(process.pid)
    time.sleep(5)
    row = {"ready_ms": round(ready * 1000, 1), "idle_mib": memory_of(process.pid, "VmRSS"),
           "idle_cpu_percent": round((cpu_of(process.pid) - cpu) / 5 * 100, 2)}
    stop([process])
    return row


# -- a large backlog, and a long run ------------------------------------------------------------------------------------


class Watch:
    """Memory and descriptors of processes, each second, while something is awaited."""

    def __init__(self, processes):
        self.processes, self.rows, self.begun, self.last = processes, [], time.monotonic(), 0.0

    def look(self):
        now = time.monotonic()
        if now - self.last < 1:
            return
        self.last = now
        for name, p in self.processes.items():
            try:
                descriptors = len(os.listdir(f"/proc/{p.pid}/fd"))
            except OSError:
                continue
            self.rows.append((round(now - self.begun, 1), name, memory_of(p.pid, "VmRSS"), descriptors))

    def most(self):
        return max(row[2] for row in self.rows)

    def sixths(self, name):
        """Medians of each sixth of the time, without the first minute: memory, then descriptors. The last ones tell what levels off."""
        rows = [r for r in self.rows if r[1] == name and (r[0] > 60 or self.rows[-1][0] < 120)]
        parts = [rows[len(rows) * i // 6:len(rows) * (i + 1) // 6] for i in range(6)]
        return [[statistics.median(r[i] for r in part) for part in parts if part] for i in (2, 3)]


def tables(program):
    """Bytes of the schema's tables with their indexes, without the empty ones."""
    with program.pg.cursor() as cursor:
        cursor.execute("select relname, pg_total_relation_size(c.oid) from pg_class c join pg_namespace n on n.oid = relnamespace "
                       "where nspname = %s and relkind = 'r' and pg_relation_size(c.oid) > 0 order by 2 desc", (program.schema,))
        return {name: size for name, size in cursor.fetchall() if size > 1 << 20}


def measure_growth(program):
    """A backlog of a million through each role alone: memory of the worker, speed of the first and last tenth, PostgreSQL's size."""
    place, n, out = program.place, program.place.a.growth, {}
    place.vendors.with_orders(n)
    place.vendors.k3(0)
    program.clean()
    k3 = place.vendors.k3_url
    for role, count in (("poll", lambda p: place.vendors.state(place.vendors.okki_url)["calls"]),
                        ("transform", lambda p: program.transformed([p])),
                        ("load", lambda p: place.vendors.state(k3)["bills"])):
        process = program.start(role, 1)[0]
        watch, meter, marks = Watch({role: process}), place.meter([process]), {}

        def counted():
            watch.look()
            got = count(process)
            for tenth in range(1, 11):
                if got * 10 >= tenth * n and tenth not in marks:
                    marks[tenth] = (time.monotonic(), got)
            return got

        place.until([process], n, counted, 120)
        end = time.monotonic()
        if role != "transform":
            end = place.until([process], n, program.written if role == "load" else lambda: program.one(
                "select count(*) from order_revisions where published"))
        tenths = {t: (marks[t][1] - marks[t - 1][1]) / (marks[t][0] - marks[t - 1][0]) for t in range(2, 11)
                  if t in marks and t - 1 in marks and marks[t][0] > marks[t - 1][0]}
        out[f"growth {role}"] = meter.row(n, end - meter.begun, peak_mib=memory_of(process.pid, "VmHWM"), most_mib=watch.most(),
                                          second_tenth=round(tenths.get(2, 0)), last_tenth=round(tenths.get(10, 0)))
        stop([process])
        time.sleep(3)
    check(program, n)
    sizes = tables(program)
    out["growth"] = {"orders": n, "tables": sizes, "bytes_per_order": round(sum(sizes.values()) / n, 1)}
    return out


def measure_soak(program):
    """Orders at 70 % of what K/3's latency lets two loaders do, workers killed at random; two that nobody kills show whether
    memory and descriptors stay."""
    place, minutes, rate = program.place, program.place.a.minutes, program.place.a.rate
    n = rate * 60 * minutes
    chance = random.Random(1)
    latency = .02
    places = max(1, round(rate / .7 * latency / 2))
    sims = []
    for what in ("okki", "k3"):
        file = os.path.join(place.folder, f"soak-{what}.port")
        sims.append(subprocess.Popen([place.vendors.vendorsim, what, "--orders", str(n), "--port-file", file,
                                      *(["--latency-ms", str(round(latency * 1000))] if what == "k3" else [])],
                                     stdout=subprocess.DEVNULL, start_new_session=True))
        while not os.path.exists(file):
            place.alive(sims)
            time.sleep(.05)
    okki, k3 = (f"http://127.0.0.1:{open(os.path.join(place.folder, f'soak-{what}.port')).read().strip()}"
                for what in ("okki", "k3"))
    settings = {"FERRY_OKKI_URL": okki, "FERRY_OKKI_CLIENT_ID": "ferry-demo", "FERRY_OKKI_CLIENT_SECRET": "ferry-demo-secret",
                "FERRY_OKKI_RATE_PER_SECOND": str(rate), "FERRY_K3_URL": k3,
                "FERRY_K3_AUTHORITY_CODE": "0123456789abcdef" * 3, "FERRY_K3_VISIBLE_SECONDS": "5", "FERRY_K3_CONCURRENCY": str(places),
                "FERRY_LEASE_SECONDS": "90", "FERRY_RECONCILE_INTERVAL_SECONDS": "0", "FERRY_POLL_INTERVAL_SECONDS": "5"}
    program.clean()

    def start(role):
        return program.spawn([place.ferry, role], dict(program.environment(), **settings))

    workers = {f"{role} {i}": start(role) for role in ("transform", "load") for i in (1, 2)}
    workers["poll"] = start("poll")
    steady = {name: workers[name] for name in ("transform 1", "load 1")}
    watch, kills, next_kill, begun = Watch(steady), 0, time.monotonic() + 20, time.monotonic()
    meter, killing_until = place.meter(list(steady.values())), time.monotonic() + minutes * 60
    try:
        while True:
            watch.look()
            place.alive(steady.values())
            done = subprocess.run([place.vendors.vendorsim, "verdict", "--okki", okki, "--k3", k3, "--without-workers",
                                   "--wait-bills", str(n)], capture_output=True).returncode == 0 if \
                time.monotonic() > killing_until else False
            if done:
                break
            if time.monotonic() > killing_until + 1800:
                raise Failure("the soak does not end")
            if next_kill < time.monotonic() < killing_until:
                victim = chance.choice(["transform 2", "load 2", "poll"])
                workers[victim].kill()
                workers[victim].wait()
                workers[victim] = start(victim.split()[0])
                kills, next_kill = kills + 1, time.monotonic() + chance.uniform(5, 25)
            time.sleep(1)
        seconds = time.monotonic() - begun
        row = meter.row(n, seconds, kills=kills, possible=round(2 * places / latency), load=round(rate * latency / 2 / places, 3))
        for name in steady:
            (row[f"{name} mib"], row[f"{name} descriptors"]) = watch.sixths(name)
        row["most_mib"] = watch.most()
        place.until(steady.values(), n, program.written)
        stop(list(workers.values()))
        verdict = subprocess.run([place.vendors.vendorsim, "verdict", "--okki", okki, "--k3", k3, "--without-workers", "--json"],
                                 capture_output=True, text=True)
        row["verdict"] = "holds" if verdict.returncode == 0 else verdict.stdout
        if program.parked() or verdict.returncode != 0:
            raise Failure(f"the soak lost or doubled something: {row}, {program.parked()} parked")
    finally:
        stop([*workers.values(), *sims])
    return {"soak": row}


MEASURES = {
    "limit": (measure_limit, 3), "growth": (measure_growth, 1), "soak": (measure_soak, 1), "profile": (measure_profile, 1),
    "phases": (measure_phases, 5), "sustained": (measure_sustained, 3), "load-20": (measure_load(20, 4000), 3), "load-200": (measure_load(200, 480), 3),
    "loaders": (measure_loaders, 1), "together": (measure_together, 5), "latency-200": (measure_latency(200), 5),
    "latency-1000": (measure_latency(1000), 5), "start": (measure_start, 3)}


# Ferry alone.
ALONE = ("limit", "growth", "soak", "profile")

# -- the table ---------------------------------------------------------------------------------------------------------

SHOWN = [("per_second", "orders/s", 1), ("of_possible", "of the possible", 1), ("cpu", "client CPU s/1,000", -1),
         ("broker", "broker CPU s/1,000", -1), ("postgres", "PostgreSQL CPU s/1,000", -1), ("peak_mib", "peak RSS MiB", -1),
         ("p50_ms", "p50 ms", -1), ("p99_ms", "p99 ms", -1), ("ready_ms", "start to work ms", -1),
         ("idle_mib", "idle RSS MiB", -1), ("idle_cpu_percent", "idle CPU %", -1)]


def processor(row, whose):
    """Processor seconds per 1,000 orders; None where fewer than 20 of the kernel's ticks were counted, which say nothing."""
    told = row.get("cpu_per_1000", {}).get(whose)
    return told if told is not None and told * row.get("orders", 0) / 1000 * TICK >= 20 else None


def value(row, key):
    return {"cpu": lambda: processor(row, "client"), "broker": lambda: processor(row, "broker"),
            "postgres": lambda: processor(row, "postgres")}.get(key, lambda: row.get(key))()


def figure(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def table(rows, programs):
    """Medians, and Ferry's ratio to each peer, pair by pair: median (lowest-highest)."""
    first, others = programs[0], programs[1:]
    head = ["measure", "figure", *programs, *(f"{first} / {o}" for o in others)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    names = list(dict.fromkeys(n for run in rows for n in run["rows"]))
    for name in names:
        for key, title, _ in SHOWN:
            runs = {p: [value(r["rows"][name], key) for r in rows if r["program"] == p and name in r["rows"]]
                    for p in programs}
            told = {p: [x for x in xs if x is not None] for p, xs in runs.items()}
            if not told[first]:
                continue
            cells = [name, title, *(figure(statistics.median(told[p])) if told[p] else "–" for p in programs)]
            for other in others:
                # Run with run: where one of a pair says nothing there is no ratio of the others alone.
                ratios = [a / b for a, b in zip(runs[first], runs[other]) if a is not None and b]
                cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if len(ratios) == len(runs[first]) else "–")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser()
    for option in ("folder", "ferry", "vendorsim", "amqp", "management", "postgres", "postgres-peers", "strategies",
                   "peers", "go-peer", "limit", "commit", "python", "versions", "json"):
        p.add_argument("--" + option, default="")
    p.add_argument("--broker-pid", type=int)
    p.add_argument("--postgres-pid", type=int)
    p.add_argument("--orders", type=int, default=40_000)
    p.add_argument("--backlog", type=int, default=20_000)
    p.add_argument("--growth", type=int, default=1_000_000)
    p.add_argument("--minutes", type=int, default=30)
    p.add_argument("--rate", type=int, default=700)
    p.add_argument("--pairs", type=int, default=0)
    p.add_argument("--programs", default="ferry")
    p.add_argument("--setting", action="append", default=[], metavar="FERRY_NAME=VALUE")
    p.add_argument("measures", nargs="+", choices=list(MEASURES))
    a = p.parse_args()
    place = Place(a)
    programs = [PROGRAMS[name](place) for name in a.programs.split(",")]
    rows = []
    try:
        for measure in a.measures:
            run, pairs = MEASURES[measure]
            for pair in range(a.pairs or pairs):
                for program in programs[:1] if measure in ALONE else programs:
                    got = run(program)
                    rows.append({"program": program.name, "measure": measure, "pair": pair, "rows": got})
                    for name, row in got.items():
                        print(f"  {measure} {pair + 1} {program.name:8} {json.dumps({name: row})}", flush=True)
    finally:
        place.vendors.end()
    names = [x.name for x in programs]
    shown = [r for r in rows if r["measure"] not in ("profile", "limit")]
    if shown:
        print(table(shown, names), flush=True)
    limits = [r["rows"] for r in rows if r["measure"] == "limit"]
    if limits:
        keys = ("publish_per_s", "relay_per_s", "consume_per_s")
        print("| the broker alone, orders/s | published | relayed | consumed |\n|---|---|---|---|")
        for name in limits[0]:
            told = [[x[name][key] for x in limits] for key in keys]
            print(f"| {name.split()[1]} a message | ",
                  " | ".join(f"{figure(statistics.median(x))} ({figure(min(x))}–{figure(max(x))})" for x in told), "|", flush=True)
    for row in rows:
        if row["measure"] == "profile":
            print(profile_table(row["rows"]), flush=True)
    if a.json:
        with open(a.json, "w") as file:
            json.dump({"machine": machine(), "cores": CORES, "versions": a.versions, "commit": a.commit,
                       "settings": {x.name: x.told() for x in programs}, "runs": rows}, file, indent=1)


signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
main()
