"""What deploy/observe-check asks of the rules, of the dashboard, of deploy/README.md and of a running Prometheus.

Each command prints a line for each thing that is wrong and ends with 1 then; else it prints one line of figures.
"""
import argparse
import concurrent.futures
import copy
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

DEPLOY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROMETHEUS = os.path.join(DEPLOY, "prometheus")
RULES = ["site.yml", "records.yml", "alerts.yml"]
TESTS = os.path.join(PROMETHEUS, "tests")
DASHBOARD = os.path.join(DEPLOY, "grafana", "ferry.json")
README = os.path.join(DEPLOY, "README.md")
RUNBOOK = "What to do when an alert fires"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"
ROLES = {"poller": "poll", "transform": "transform", "loader": "load"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def load(path):
    return yaml.safe_load(read(path))


def rules(name):
    return load(os.path.join(PROMETHEUS, "rules", name))


def all_rules(name):
    return [rule for group in rules(name)["groups"] for rule in group["rules"]]


def alerts():
    return all_rules("alerts.yml")


def test_files():
    return sorted(os.path.join(TESTS, name) for name in os.listdir(TESTS) if name.endswith(".yml"))


def finish(problems, line):
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    if problems:
        print(f"  {len(problems)} problem(s).", file=sys.stderr)
        sys.exit(1)
    print(line)


# --- What needs no server --------------------------------------------------------------------------------------------


def check_texts():
    """Alerts, their tests and their runbook entries belong together, and the dashboard is well made."""
    problems = []
    named = [alert["alert"] for alert in alerts()]
    problems += [f"{name}: stands twice" for name in set(named) if named.count(name) > 1]
    firing, silent = set(), set()
    for path in test_files():
        for test in load(path)["tests"]:
            for check in test.get("alert_rule_test", []):
                (firing if check.get("exp_alerts") else silent).add(check["alertname"])
    for alert in alerts():
        name, notes = alert["alert"], alert.get("annotations", {})
        if alert.get("labels", {}).get("severity") not in ("page", "warn"):
            problems.append(f"{name}: severity is page or warn")
        problems += [f"{name}: no {key}" for key in ("summary", "description", "runbook") if not notes.get(key)]
        if notes.get("runbook") != f"deploy/README.md#{name.lower()}":
            problems.append(f"{name}: its runbook is {notes.get('runbook')}")
        if name not in firing:
            problems.append(f"{name}: no test in which it fires")
        if name not in silent:
            problems.append(f"{name}: no test in which it is silent")
    problems += [f"{name}: tested, and no alert" for name in (firing | silent) - set(named)]
    entries = runbook_entries()
    problems += [f"{name}: no entry in deploy/README.md, {RUNBOOK}" for name in named if name not in entries]
    problems += [f"{name}: an entry in deploy/README.md, and no alert" for name in entries if name not in named]
    problems += [f"{name}: {len(entries[name])} of meaning, look, do" for name in entries if len(entries[name]) != 3]
    problems += site_figures()
    dashboard, queries = check_dashboard()
    finish(
        problems + dashboard,
        f"{len(named)} alerts, each with a severity, a runbook entry and tests; "
        f"{len(json.loads(read(DASHBOARD))['panels'])} panels with {queries} queries.",
    )


def runbook_entries():
    """By alert: the parts that its entry has."""
    entries, name, inside = {}, None, False
    for line in read(README).splitlines():
        heading = re.match(r"(#+) (.+)$", line)
        if heading:
            if len(heading[1]) == 3:
                inside = heading[2] == RUNBOOK
            elif len(heading[1]) < 3:
                inside = False
            name = heading[2] if inside and len(heading[1]) == 4 else None
            if name:
                entries[name] = []
        elif name:
            part = re.match(r"- \*\*(Means|Look|Do)\*\*", line)
            if part:
                entries[name].append(part[1])
    return entries


def site_figures():
    """site.yml says what compose.yaml and the settings' defaults say."""
    figures = {rule["record"]: rule["expr"] for group in rules("site.yml")["groups"] for rule in group["rules"]}
    compose = load(os.path.join(os.path.dirname(DEPLOY), "compose.yaml"))
    limit = int(re.fullmatch(r"(\d+)m", compose["x-ferry"]["mem_limit"])[1]) << 20
    wanted = f"vector({limit})"
    if figures["ferry_site_memory_bytes"] != wanted:
        return [f"rules/site.yml: memory is {figures['ferry_site_memory_bytes']}, compose.yaml allows {wanted}"]
    return []


def check_dashboard():
    problems, ids, cells, queries = [], set(), {}, 0
    dashboard = json.loads(read(DASHBOARD))
    sources = load(os.path.join(DEPLOY, "grafana", "provisioning", "datasources", "ferry.yml"))["datasources"]
    uids = {source["uid"] for source in sources}
    for panel in dashboard["panels"]:
        name = f"panel {panel['id']} ({panel['title']})"
        if panel["id"] in ids:
            problems.append(f"{name}: its id stands twice")
        ids.add(panel["id"])
        place = panel["gridPos"]
        if place["x"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > 24:
            problems.append(f"{name}: outside of the grid")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in cells:
                    problems.append(f"{name}: overlaps {cells[x, y]}")
                    break
                cells[x, y] = name
            else:
                continue
            break
        if panel["type"] in ("row", "text"):
            continue
        if panel["datasource"]["uid"] not in uids:
            problems.append(f"{name}: no data source {panel['datasource']['uid']}")
        defaults = panel["fieldConfig"]["defaults"]
        if not panel.get("description") or not defaults.get("unit"):
            problems.append(f"{name}: no description or no unit")
        if not panel["targets"]:
            problems.append(f"{name}: no query")
        for target in panel["targets"]:
            queries += 1
            if not target.get("legendFormat"):
                problems.append(f"{name}: query {target['refId']} has no legend")
    return problems, queries


def mutate():
    """Breaks each alert in several ways; its tests must see each."""
    jobs = []
    tests = [load(path) for path in test_files()]
    for group in rules("alerts.yml")["groups"]:
        for rule in group["rules"]:
            for what, broken in mutants(rule):
                jobs.append((what, group["name"], broken, tests))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        survivors = [problem for problem in pool.map(survives, jobs) if problem]
    finish(survivors, f"{sum(job[0] != 'whole' for job in jobs)} broken alerts, each seen by its tests.")


def mutants(rule):
    def but(**change):
        return {**copy.deepcopy(rule), **change}

    yield "whole", rule
    yield "never fires", but(expr="vector(0) > 1")
    loose = re.sub(r"(?<![=!<>])(>|==) \d+(\.\d+)?\b(?! \*)", "> -1e18", rule["expr"])
    loose = re.sub(r"> (\d+ \* )?scalar\(", "> -1e18 * scalar(", loose)
    if loose != rule["expr"]:
        yield "fires for any figure", but(expr=loose)
    if "for" in rule:
        yield "fires at once", but(**{"for": "0s"})


def survives(job):
    what, group, rule, tests = job
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "rule.yml"), "w", encoding="utf-8") as file:
            yaml.safe_dump({"groups": [{"name": group, "rules": [rule]}]}, file)
        picked = []
        for file in tests:
            for test in file["tests"]:
                checks = [one for one in test.get("alert_rule_test", []) if one["alertname"] == rule["alert"]]
                if checks:
                    picked.append({**test, "alert_rule_test": checks})
        document = {
            "rule_files": [os.path.join(PROMETHEUS, "rules", name) for name in RULES[:2]] + ["rule.yml"],
            "evaluation_interval": tests[0]["evaluation_interval"],
            "group_eval_order": ["ferry-site", "ferry-records", group],
            "tests": picked,
        }
        path = os.path.join(folder, "tests.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file)
        passes = subprocess.run(["promtool", "test", "rules", path], capture_output=True, check=False).returncode == 0
    # A whole rule must pass, or the broken ones would fail for another reason.
    if what == "whole":
        return None if passes else f"{rule['alert']}: its tests fail though nothing is broken"
    return f"{rule['alert']}: no test sees that it {what}" if passes else None


# --- A quick Prometheus ----------------------------------------------------------------------------------------------

SECONDS = {"s": 1, "m": 60, "h": 3600}


def quicker(text, factor):
    """A duration of Prometheus, so many times shorter, at least 2 s: a window holds two scrapes."""
    count, unit = re.fullmatch(r"(\d+)([smh])", text).groups()
    return f"{max(2, round(int(count) * SECONDS[unit] / factor))}s"


def quick_query(text, factor):
    text = re.sub(r"\[(\d+[smh])\]", lambda match: f"[{quicker(match[1], factor)}]", text)
    return re.sub(r"offset (\d+[smh])", lambda match: f"offset {quicker(match[1], factor)}", text)


def shrink(factor, folder, rabbitmq, own):
    """Writes the shipped configuration for a Prometheus in which time goes `factor` times as fast."""
    os.makedirs(os.path.join(folder, "rules"), exist_ok=True)
    os.makedirs(os.path.join(folder, "targets"), exist_ok=True)
    config = load(os.path.join(PROMETHEUS, "prometheus.yml"))
    interval = quicker(config["global"]["scrape_interval"], factor) if factor < 8 else "1s"
    config["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    for job in config["scrape_configs"]:
        if job.pop("dns_sd_configs", None):
            job["file_sd_configs"] = [{"files": [f"targets/{job['job_name']}.json"], "refresh_interval": "1s"}]
        else:
            address = {"rabbitmq": rabbitmq, "prometheus": own}[job["job_name"]]
            job["static_configs"] = [{"targets": [address]}]
    with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    for name in RULES:
        document = rules(name)
        for group in document["groups"]:
            for rule in group["rules"]:
                rule["expr"] = quick_query(rule["expr"], factor)
                if "for" in rule:
                    rule["for"] = quicker(rule["for"], factor)
        with open(os.path.join(folder, "rules", name), "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file, sort_keys=False)


# --- Asking it -------------------------------------------------------------------------------------------------------


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"  {path}: {json.load(error).get('error', error)}") from None


def standing(base):
    """The alerts that fire, or will: (name, severity, state, labels)."""
    return [
        (one["labels"]["alertname"], one["labels"]["severity"], one["state"], one["labels"])
        for one in ask(base, "alerts")["alerts"]
    ]


def told(labels):
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key not in ("alertname", "severity"))


def watch(base, wanted, within, pages, gone, hold):
    """Waits until all wanted alerts fire (or, with `gone`, none does any more), and that no other one pages meanwhile.

    With `hold` it looks for so many seconds longer.
    """
    begun, seen, done = time.monotonic(), {}, None
    while True:
        now = time.monotonic()
        firing = [one for one in standing(base) if one[2] == "firing"]
        for name, severity, _, labels in firing:
            if severity == "page" and name not in pages:
                raise SystemExit(f"  {name} ({told(labels)}) pages, and should not")
            seen.setdefault(name, (now - begun, labels))
        names = {one[0] for one in firing}
        if done is None and (not names & set(wanted) if gone else set(wanted) <= names):
            done = now
        if done is not None and now >= done + hold:
            break
        if done is None and now - begun > within:
            state = ", ".join(f"{name} {what}" for name, _, what, _ in standing(base)) or "none"
            raise SystemExit(f"  waited {within} s for {' and '.join(wanted)} to {'end' if gone else 'fire'}; alerts: {state}")
        time.sleep(0.3)
    if gone:
        print(f"  {' and '.join(wanted)}: over after {done - begun:.0f} s.")
    elif wanted:
        for name in wanted:
            print(f"  {name} ({told(seen[name][1])}) fires after {seen[name][0]:.0f} s, and nothing else pages.")
    else:
        print(f"  Nothing pages for {hold} s.")


def await_up(base, counts, within):
    """Waits until so many targets of each job answer, and until no alert fires.

    Prometheus finds its first targets up to 5 s after its start, whatever its intervals are. In shortened times that is longer than
    some alerts wait, so that one of a figure that is absent may fire before the first figure has come.
    """
    deadline = time.monotonic() + within
    while True:
        up = {}
        for one in ask(base, "query", query="up == 1")["result"]:
            up[one["metric"]["job"]] = up.get(one["metric"]["job"], 0) + 1
        firing = [one[0] for one in standing(base) if one[2] == "firing"]
        if not firing and all(up.get(job, 0) >= count for job, count in counts.items()):
            print(f"  Answering: {', '.join(f'{job} {up[job]}' for job in counts)}.")
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"  after {within} s these answer: {up}, wanted {counts}; alerts that fire: {firing}")
        time.sleep(0.3)


def queries(base, start, factor):
    """Asks every query of the dashboard over the time of the run; each must give figures."""
    problems, count = [], 0
    asked = []
    dashboard = json.loads(read(DASHBOARD))
    for panel in dashboard["panels"]:
        asked += [(f"{panel['id']} ({panel['title']}) {one['refId']}", one["expr"]) for one in panel.get("targets", [])]
    for name, query in asked:
        count += 1
        query = quick_query(query.replace("$__rate_interval", "1m"), factor)
        result = ask(base, "query_range", query=query, start=start, end=time.time(), step="1s")["result"]
        figures = [value for series in result for _, value in series["values"] if not math.isnan(float(value))]
        if not figures:
            problems.append(f"panel {name}: no data from {query}")
    # "or vector(0)" would hide a metric that nobody tells.
    known = set(ask(base, "label/__name__/values"))
    asked += [(rule.get("alert") or rule["record"], rule["expr"]) for file in RULES for rule in all_rules(file)]
    for name, query in asked:
        named = set(re.findall(r"\b(?:ferry|process|prometheus|rabbitmq)_\w+", re.sub(r'"[^"]*"', "", query)))
        problems += [f"{name}: nobody tells {metric}" for metric in sorted(named - known)]
    finish(problems, f"  {count} queries of the dashboard, each with data; what dashboard and rules name is told.")


def failures(base):
    """Rules that Prometheus could not evaluate."""
    problems, count = [], 0
    for group in ask(base, "rules")["groups"]:
        for rule in group["rules"]:
            count += 1
            if rule["health"] != "ok":
                problems.append(f"rule {rule['name']}: {rule['health']} {rule.get('lastError', '')}")
    finish(problems, f"  {count} rules evaluated without an error.")


# --- Beside the run --------------------------------------------------------------------------------------------------


def trickle(url, count):
    """Adds so many orders to the simulated OKKI each second, until it is stopped."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        time.sleep(1)
        try:
            opener.open(f"{url}/_sim/orders", json.dumps({"add": count}).encode(), timeout=5).close()
        except OSError:
            pass


def bound(seconds, pid):
    """Ends a process that is not over after so many seconds."""
    time.sleep(seconds)
    print(f"observe-check: not over after {seconds} s", file=sys.stderr)
    os.kill(pid, signal.SIGTERM)


# --- The table of metrics --------------------------------------------------------------------------------------------


def table(texts):
    """The table in deploy/README.md from the roles' /metrics: [(role, text)]."""
    rows = {}
    for role, text in texts:
        kinds, helps = {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name, meaning = line[7:].split(" ", 1)
                helps[name] = meaning
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                kinds[name] = kind
        for name, kind in kinds.items():
            row = rows.setdefault(name, {"kind": kind, "help": helps.get(name, ""), "labels": set(), "roles": set()})
            row["roles"].add(role)
        for line in text.splitlines():
            match = re.match(r"([a-z_]+)\{(.*)\} ", line)
            if match:
                name = match[1] if match[1] in rows else re.sub(r"_(bucket|sum|count)$", "", match[1])
                rows[name]["labels"] |= set(re.findall(r'(?:^|,)(\w+)="', match[2])) - {"le", "quantile"}
    lines = ["| Metric | Kind | Of | Tells |", "|---|---|---|---|"]
    order = list(ROLES.values())
    for name, row in sorted(rows.items()):
        labels = "{" + ",".join(sorted(row["labels"])) + "}" if row["labels"] else ""
        roles = ", ".join(role for role in order if role in row["roles"])
        lines.append(f"| `{name}{labels}` | {row['kind']} | {roles} | {row['help'].replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def check_table(files, update):
    texts = [(os.path.splitext(os.path.basename(path))[0], read(path)) for path in files]
    made = f"{BEGIN}\n{table(texts)}\n{END}"
    readme = read(README)
    begin, end = readme.find(BEGIN), readme.find(END)
    if begin < 0 or end < begin:
        raise SystemExit(f"  deploy/README.md lacks {BEGIN} and {END}")
    standing_table = readme[begin : end + len(END)]
    if standing_table == made:
        print(f"  The table of {made.count(chr(10)) - 3} metrics in deploy/README.md is what /metrics says.")
    elif update:
        with open(README, "w", encoding="utf-8") as file:
            file.write(readme[:begin] + made + readme[end + len(END) :])
        print("  deploy/README.md: the table of metrics is written anew.")
    else:
        old, new = set(standing_table.splitlines()), set(made.splitlines())
        problems = [f"not in deploy/README.md: {line}" for line in sorted(new - old)]
        problems += [f"only in deploy/README.md: {line}" for line in sorted(old - new)]
        finish(problems + ["deploy/observe-check --update writes the table anew"], "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("texts")
    commands.add_parser("mutate")
    one = commands.add_parser("shrink")
    one.add_argument("--factor", type=int, required=True)
    one.add_argument("--folder", required=True)
    one.add_argument("--rabbitmq", required=True)
    one.add_argument("--own", required=True)
    one = commands.add_parser("watch")
    one.add_argument("--url", required=True)
    one.add_argument("--within", type=int, default=60)
    one.add_argument("--pages", nargs="*", default=[])
    one.add_argument("--gone", action="store_true")
    one.add_argument("--hold", type=int, default=0)
    one.add_argument("alerts", nargs="*")
    one = commands.add_parser("up")
    one.add_argument("--url", required=True)
    one.add_argument("--within", type=int, default=30)
    one.add_argument("counts", nargs="+")
    one = commands.add_parser("queries")
    one.add_argument("--url", required=True)
    one.add_argument("--start", type=float, required=True)
    one.add_argument("--factor", type=int, required=True)
    one = commands.add_parser("failures")
    one.add_argument("--url", required=True)
    one = commands.add_parser("trickle")
    one.add_argument("--okki", required=True)
    one.add_argument("--count", type=int, required=True)
    one = commands.add_parser("bound")
    one.add_argument("--seconds", type=int, required=True)
    one.add_argument("--process", type=int, required=True)
    one = commands.add_parser("table")
    one.add_argument("--update", action="store_true")
    one.add_argument("files", nargs="+")
    options = parser.parse_args()
    match options.command:
        case "texts":
            check_texts()
        case "mutate":
            mutate()
        case "shrink":
            shrink(options.factor, options.folder, options.rabbitmq, options.own)
        case "watch":
            pages = set(options.pages) | set(options.alerts)
            watch(options.url, options.alerts, options.within, pages, options.gone, options.hold)
        case "up":
            counts = {job: int(count) for job, count in (one.split("=") for one in options.counts)}
            await_up(options.url, counts, options.within)
        case "queries":
            queries(options.url, options.start, options.factor)
        case "failures":
            failures(options.url)
        case "trickle":
            trickle(options.okki, options.count)
        case "bound":
            bound(options.seconds, options.process)
        case "table":
            check_table(options.files, options.update)


if __name__ == "__main__":
    main()
