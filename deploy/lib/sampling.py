"""Where a process's processor time goes, by rooms of the source: samples of perf, each given to the innermost frame that is
Ferry's own, with what it has called in the libraries and the kernel. Called by bench.py."""
import collections
import re
import subprocess

RATE = 1999  # samples a second and core; no multiple of the clock's tick
MODULE = re.compile(r"\$s(\d+)")


def command(file):
    """What a command line is put behind to be sampled."""
    return ["perf", "record", "--quiet", "--no-buildid-cache", "--event", "cpu-clock", "--freq", str(RATE), "--call-graph", "fp",
            "--output", file, "--"]


def module(symbol):
    """The module in front of a mangled name; None where it is Swift's own or no name of Swift's."""
    found = MODULE.match(symbol)
    if not found:
        return None
    begin, length = found.end(), int(found[1])
    return symbol[begin:begin + length]


# Libraries that keep no frame pointers hide who called them; the driver's thread tells.
THREADS = {"ferry-curl": "Curl", "ferry-pg": "PostgreSQL", "amqp": "AMQP"}


def stacks(file):
    """Threads and stacks of a recording, innermost frame first, as (symbol, is the program's, is the kernel's)."""
    out = subprocess.run(["perf", "script", "--input", file, "--no-demangle", "--fields", "comm,ip,sym,dso"],
                         capture_output=True, text=True, errors="replace", check=True).stdout
    for sample in out.split("\n\n"):
        stack = []
        for line in sample.split("\n"):
            found = re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line)
            if found:
                stack.append((found[1].split("+")[0], found[2].endswith("/ferry"), found[2].startswith("[kernel")))
        if stack:
            yield sample.lstrip().split("\n")[0].strip(), stack


def readable(symbols):
    """Functions as Swift's source names them."""
    out = subprocess.run(["swift", "demangle", "--compact", "--simplified"], input="\n".join(symbols), capture_output=True,
                         text=True, check=True).stdout.split("\n")
    return [re.sub(r"^(specialized |closure #\d+ in |partial apply for |merged )*|\(.*", "", name) for name in out]


def shares(file):
    """Processor seconds, and of one, by room, largest first: all of a room, and how much of it is the kernel's; and by
    function of Ferry's own, the ten largest, with what each calls in the libraries and the kernel."""
    rooms, kernels, functions, total = collections.Counter(), collections.Counter(), collections.Counter(), 0
    for thread, stack in stacks(file):
        room = (next((m for symbol, own, _ in stack if own and (m := module(symbol))), None)
                or next((r for name, r in THREADS.items() if thread.startswith(name)), "start and runtime"))
        rooms[room] += 1
        own = next((symbol for symbol, own, _ in stack if own and module(symbol)), None)
        if own:
            functions[own] += 1
        kernels[room] += stack[0][2]
        total += 1
    top = functions.most_common(10)
    return (total / RATE, [(room, count / total, kernels[room] / total) for room, count in rooms.most_common()],
            [(name, count / total) for name, (_, count) in zip(readable([symbol for symbol, _ in top]), top)])
