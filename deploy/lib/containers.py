"""What deploy/config-check asks of a deployment's files beyond their form. Needs PyYAML.

    containers.py form               rules that hold for this project whatever Docker takes; prints what breaks them
    containers.py readable FOLDER    files and folders of the checkout FOLDER, with its .secrets, that compose.yaml mounts and
                                     that the containers' users cannot read
    containers.py rules              whether standard input is a PrometheusRule with the rules of deploy/prometheus
"""

import os
import re
import stat
import sys

import yaml

# As many as one likes of each: nothing of theirs may be there once only.
SCALED = ("poller", "transform", "loader")


def builds(services):
    """Every image that is made here is built by one service alone, and fetched by none."""
    built = {}
    for name, service in services.items():
        if "build" in service:
            built.setdefault(service["image"], []).append(name)
    for image, names in built.items():
        if len(names) > 1:
            yield f"{image} is built by {' and '.join(names)}, side by side"
    for name, service in services.items():
        image = service["image"]
        if ":" not in image and image not in built:
            yield f"{name}: nobody builds {image}"
        if image in built and service.get("pull_policy") != "never":
            yield f"{name}: {image} is made here and may not be fetched"
        if image not in built and re.search(r":(latest)?$|^[^:]*$", image):
            yield f"{name}: {image} is not pinned"


def scaling(services):
    for name in SCALED:
        service = services[name]
        for key in ("container_name", "ports", "hostname"):
            if key in service:
                yield f"{name}: {key} is there once only, and cannot be scaled"
        if not re.fullmatch(r"\$\{[A-Z]+:-1\}", str(service.get("scale"))):
            yield f"{name}: its number is not for .env to say"


def ports(services):
    for name, service in services.items():
        for port in service.get("ports", ()):
            if not str(port).startswith("127.0.0.1:${"):
                yield f"{name}: {port} is not on loopback alone, or not for .env to say"


def demonstration(compose):
    """What a start without .env has instead of settings: the simulators' secrets, and all of deploy/demo.env."""
    for name, secret in compose["secrets"].items():
        if secret["file"] != f"${{SECRETS_FOLDER:-deploy/demo-secrets}}/{name}":
            yield f"secret {name}: {secret['file']} is not of SECRETS_FOLDER, or without it not of the demonstration"
    for name, service in compose["services"].items():
        settings = service.get("environment", {})
        if not any(str(key).startswith("FERRY_") for key in settings):
            continue
        if settings.get("SECRETS_FOLDER", "") is not None or "/demo.env" not in str(service.get("entrypoint")):
            yield f"{name} does not go by SECRETS_FOLDER"
        if not any(isinstance(volume, dict) and volume["target"] == "/demo.env" for volume in service["volumes"]):
            yield f"{name} has no /demo.env"
        for key, value in settings.items():
            if "${" in str(value) and not re.fullmatch(r"\$\{[A-Z_]+:-[^}]*\}", str(value)):
                yield f"{name}: {key} stops every command where it is not set, or is empty"


def broker_memory(services):
    """RabbitMQ's alarm must come before the kernel's end of it."""
    units = {"m": 1 << 20, "g": 1 << 30}
    limit = re.fullmatch(r"(\d+)([mg])", services["rabbitmq"]["mem_limit"])
    with open("deploy/rabbitmq.conf", encoding="utf-8") as file:
        conf = dict(re.findall(r"^([\w.]+) = (\S+)$", file.read(), re.MULTILINE))
    alarm = re.fullmatch(r"(\d+)MiB", conf.get("vm_memory_high_watermark.absolute", ""))
    share = int(alarm[1]) * units["m"] / (int(limit[1]) * units[limit[2]]) if alarm and limit else 0
    if not 0.4 <= share <= 0.7:
        yield f"rabbitmq: its memory alarm is at {share:.0%} of mem_limit, not at 40 to 70 %"
    if "disk_free_limit.absolute" not in conf:
        yield "rabbitmq has no disk_free_limit.absolute"


def guards(services):
    for name, service in services.items():
        for key, wanted in (("read_only", True), ("cap_drop", ["ALL"]), ("security_opt", ["no-new-privileges:true"])):
            if service.get(key) != wanted:
                yield f"{name}: {key} is not {wanted}"
        for key in ("mem_limit", "pids_limit", "logging"):
            if key not in service:
                yield f"{name} has no {key}"


def mounted(compose):
    """What is mounted from the checkout, for the demonstration and with SECRETS_FOLDER=.secrets."""
    paths = set()
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume
            paths.update(re.findall(r"\./(deploy/[\w./-]+)", source))
    for secret in compose["secrets"].values():
        for folder in (".secrets", "deploy/demo-secrets"):
            paths.add(re.sub(r"^\$\{SECRETS_FOLDER:-deploy/demo-secrets\}", folder, secret["file"]))
    return sorted(paths)


def unreadable(folder, paths):
    for path in paths:
        top = os.path.join(folder, path)
        inside = [os.path.join(where, name) for where, folders, files in os.walk(top) for name in folders + files]
        for each in [top, *inside]:
            if not os.path.exists(each):
                yield f"{os.path.relpath(each, folder)} is not there"
                continue
            mode = os.stat(each).st_mode
            wanted = 0o5 if stat.S_ISDIR(mode) else 0o4
            if mode & wanted != wanted:
                yield f"{os.path.relpath(each, folder)} has mode {stat.S_IMODE(mode):o}"


def rules(text):
    wanted = []
    for name in ("site", "records", "alerts"):
        with open(f"deploy/prometheus/rules/{name}.yml", encoding="utf-8") as file:
            wanted += yaml.safe_load(file)["groups"]
    found = yaml.safe_load(text)
    if (found["apiVersion"], found["kind"]) != ("monitoring.coreos.com/v1", "PrometheusRule"):
        yield f"it is a {found['kind']} of {found['apiVersion']}"
    if found["spec"] != {"groups": wanted}:
        yield "its rules are not those of deploy/prometheus/rules"


def main():
    with open("compose.yaml", encoding="utf-8") as file:
        compose = yaml.safe_load(file)
    services = compose["services"]
    if sys.argv[1:] == ["form"]:
        wrong = [*builds(services), *scaling(services), *ports(services), *guards(services), *broker_memory(services), *demonstration(compose)]
    elif len(sys.argv) == 3 and sys.argv[1] == "readable":
        wrong = list(unreadable(sys.argv[2], mounted(compose)))
    elif sys.argv[1:] == ["rules"]:
        wrong = list(rules(sys.stdin.read()))
    else:
        sys.exit(__doc__)
    for sentence in wrong:
        print(sentence)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
