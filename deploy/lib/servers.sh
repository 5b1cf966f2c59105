# shellcheck shell=bash disable=SC2034  # what looks unused here is used by the scripts that source this file
# What deploy/demo, deploy/test and .ci/run share: installing what is missing, a private RabbitMQ and a private
# PostgreSQL on free loopback ports, a private MariaDB on a unix socket (for the tests alone), and stopping every
# process that was started here.
#
# A script sources this file, calls `run_begin NAME`, and from then on owns one folder, $RUN, below .build/NAME.
# Everything that a run starts is listed in $RUN/processes (pid, start time, signal, seconds of grace, name), everything
# that it made elsewhere in $RUN/folders, so that another call can stop a run whose script is gone.
# Needs bash 5.1, coreutils, util-linux (setsid, setpriv), awk, curl; nothing else.

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
PROGRAM=${0##*/}
RUN=                     # this run's folder
RABBITMQ_PROMETHEUS=no   # "yes": the broker has metrics on RABBITMQ_PROMETHEUS_PORT
LEAVE_RUNNING=no         # "yes" once a run is to outlive its script
KEEP_LOGS_IN=            # where a failed run leaves its logs; empty: nowhere
KEEP_PROCESSES=no        # "yes": children get no parent-death signal, so that they can outlive the script
RABBITMQ_ENVIRONMENT=()  # what the broker was started with
SERVERS_SPEAK_TLS=no     # "yes": both also speak TLS, with certificates of an authority of this run's own
TAKEN_PORTS=' '          # ports this script has given out
FIRST_PORT=20000         # where they begin
PORT_COUNT=12000         # how many there are
PACKAGES_FOR_BUILDING=(pkg-config librabbitmq-dev libpq-dev libcurl4-openssl-dev zlib1g-dev libpcre2-dev libssl-dev)
PACKAGES_FOR_SERVERS=(rabbitmq-server postgresql-15)
PACKAGES_FOR_WATCHING=(prometheus python3 python3-yaml)
PACKAGES_FOR_TESTS=(mariadb-server prometheus)
PACKAGES_FOR_SCRIPTS=(curl ca-certificates openssl)

RABBITMQ_BIN=/usr/lib/rabbitmq/bin
POSTGRES_BIN=/usr/lib/postgresql/15/bin
POSTGRES_FOLDER=
MARIADB_BIN=/usr/sbin

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "$PROGRAM" "$*" >&2
  exit 1
}

# show_tail FILE [LINES]: the end of a log, indented, on standard error.
show_tail() {
  [[ -s $1 ]] || { printf '  (%s is empty)\n' "$1" >&2; return 0; }
  printf '  The last lines of %s:\n' "$1" >&2
  tail -n "${2:-25}" "$1" | sed 's/^/  | /' >&2
}

random_word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# The time since boot in hundredths of a second: a clock that nobody sets, read without starting a process.
now_cs() {
  local up rest
  read -r up rest </proc/uptime
  : "$rest"
  NOW_CS=$((10#${up/./}))
}

# --- Installing ------------------------------------------------------------------------------------------------------

package_purpose() {
  case $1 in
    pkg-config) echo 'tells Swift where the C libraries are' ;;
    librabbitmq-dev) echo 'the AMQP library that ferry is built on' ;;
    libpq-dev) echo "PostgreSQL's client library" ;;
    libcurl4-openssl-dev) echo 'makes connections for HTTP' ;;
    zlib1g-dev) echo 'unpacks answers of HTTP' ;;
    libpcre2-dev) echo 'regular expressions, as MariaDB has them' ;;
    libssl-dev) echo 'MD5 and SHA; comes with libpq-dev' ;;
    mariadb-server) echo "checks the expressions' results; a private one is run, not the system service" ;;
    rabbitmq-server) echo 'the broker; a private one is run, not the system service' ;;
    prometheus) echo 'checks metrics and alerts; a private one is run, not the system service' ;;
    python3 | python3-yaml) echo 'reads the alerts and the dashboard that are checked' ;;
    postgresql-15) echo 'the database; a private one is run, not the system service' ;;
    curl) echo 'asks the servers whether they are ready' ;;
    ca-certificates) echo 'the certificate authorities that TLS is checked against' ;;
    openssl) echo 'makes certificates for tests of TLS' ;;
    shellcheck) echo 'checks the shell scripts' ;;
    yamllint) echo 'checks the form of YAML' ;;
    python3-amqp | python3-psycopg2) echo 'looks into queues and tables while something is measured' ;;
    golang-*) echo 'builds the Go program that Ferry is measured beside' ;;
    python3-venv) echo 'holds the packages of the Python programs that Ferry is measured beside' ;;
    *) echo 'needed' ;;
  esac
}

# missing_packages PACKAGE...: those of them that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

# Runs as root, by install_missing: apt-get with no questions, and with no service started by a package.
# policy-rc.d is Debian's own hook for that: 101 forbids maintainer scripts to start anything.
# shellcheck disable=SC2016  # the script is another shell's, its $ are meant for that one
INSTALLER='
set -eu
policy=/usr/sbin/policy-rc.d
saved=$policy.before-ferry
restore() {
  if [ -e "$saved" ]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi
}
trap restore EXIT
trap "exit 130" INT
trap "exit 143" TERM
if [ -e "$policy" ] && ! [ -e "$saved" ]; then mv "$policy" "$saved"; fi
printf "#!/bin/sh\nexit 101\n" >"$policy"
chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold --no-install-recommends install "$@"
'

# install_missing PACKAGE...: installs those that are missing, after saying each and why; silent when none is.
install_missing() {
  command -v dpkg-query >/dev/null || die "this needs Debian 12 (dpkg-query is not here); install by hand: $*"
  local missing package log status=0 before_services=() service units said
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} > 0)) || return 0
  say "Missing Debian packages, installed now with apt-get:"
  for package in "${missing[@]}"; do
    printf '  %-22s %s\n' "$package" "$(package_purpose "$package")"
  done
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    die "not root and no sudo here: have an administrator run: apt-get install --no-install-recommends ${missing[*]}"
  fi
  ((EUID == 0)) || say "  (with sudo, which may ask for your password)"
  for service in rabbitmq-server postgresql mariadb epmd prometheus; do
    [[ -e /lib/systemd/system/$service.service ]] || before_services+=("$service")
  done
  log=$(mktemp)
  as_root sh -c "$INSTALLER" ferry-install "${missing[@]}" >"$log" 2>&1 </dev/null || status=$?
  if ((status != 0)); then
    show_tail "$log" 25
    rm -f "$log"
    die "apt-get failed (status $status); the lines above say why"
  fi
  rm -f "$log"
  # The packages would start their services at the next boot. Ferry runs its own: leave the machine as quiet as it was.
  for service in "${before_services[@]}"; do
    [[ -e /lib/systemd/system/$service.service ]] || continue
    if command -v systemctl >/dev/null; then
      units=("$service.service")
      [[ $service != epmd ]] || units+=(epmd.socket)
      as_root systemctl disable --quiet "${units[@]}" >/dev/null 2>&1 || true
      said='was not started, and is switched off at boot'
    else
      said='was not started'
    fi
    [[ $service == epmd ]] || say "  The system service $service $said."
  done
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || die "still missing after apt-get: ${missing[*]}"
}

need_swift() {
  command -v swift >/dev/null || die "swift is not in PATH; a Swift 6.3 toolchain is needed (swift.org/install)"
}

# --- Runs and their processes ----------------------------------------------------------------------------------------

# start_time PID: when a process began, in clock ticks since boot, in BORN; empty when there is none. A pid alone can
# be reused. Starts no process itself: it is asked often.
start_time() {
  local stat fields
  BORN=
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} == Z ]] || BORN=${fields[19]}
}

# alive PID STARTTIME
alive() {
  [[ -n $2 ]] || return 1
  start_time "$1"
  [[ $BORN == "$2" ]]
}

# run_begin NAME: makes $RUN, a folder of this run's own below .build/NAME; all that is in it ends with the script.
run_begin() {
  mkdir -p "$CHECKOUT/.build/$1"
  sweep_abandoned "$CHECKOUT/.build/$1"
  find "$CHECKOUT/.build/$1" -maxdepth 1 -name 'logs-*' -mtime +7 -exec rm -rf {} +
  RUN=$(mktemp -d "$CHECKOUT/.build/$1/run-XXXXXX")
  # PostgreSQL's own user must be able to pass through.
  ((EUID != 0)) || chmod 711 "$RUN"
  mkdir -p "$RUN/logs"
  (umask 077 && mkdir "$RUN/secrets")
  : >"$RUN/processes"
  : >"$RUN/folders"
  start_time $$
  echo "$$ $BORN" >"$RUN/owner"
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  trap 'run_end $?' EXIT
}

# What a script that was killed left behind is stopped and removed by the next one.
sweep_abandoned() {
  local run owner born
  for run in "$1"/run-*; do
    [[ -d $run && ! -e $run/kept ]] || continue
    read -r owner born <"$run/owner" 2>/dev/null || { owner=0; born=; }
    if [[ -z $born ]]; then
      # Another script may be just making it.
      [[ -n $(find "$run" -maxdepth 0 -mmin +5 2>/dev/null) ]] || continue
    fi
    alive "$owner" "$born" || remove_run "$run"
  done
}

run_end() {
  local status=$1
  # From here on nothing may keep it from stopping everything, not even an output that nobody reads any more.
  trap '' HUP INT PIPE TERM
  trap - EXIT
  set +e
  if [[ $LEAVE_RUNNING == yes ]]; then exit "$status"; fi
  if ((status >= 129 && status <= 143)); then
    KEEP_LOGS_IN=
    [[ ! -t 1 ]] || printf '\n'
    say 'Interrupted: stopping what was started.'
  fi
  if [[ -n $RUN && -d $RUN ]]; then
    if ((status != 0)) && [[ -n $KEEP_LOGS_IN ]]; then
      rm -rf "$KEEP_LOGS_IN"
      cp -r "$RUN/logs" "$KEEP_LOGS_IN" 2>/dev/null && say "Logs: $KEEP_LOGS_IN" >&2
    fi
    remove_run "$RUN"
  fi
  exit "$status"
}

# remove_run FOLDER: stops a run's processes, the youngest first, and removes its data.
remove_run() {
  local run=$1 pid born signal grace name folder lines=() i
  [[ ! -f $run/processes ]] || mapfile -t lines <"$run/processes"
  # All but the servers are asked at once, so that their times to end do not add up.
  for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
    read -r pid born signal grace name <<<"${lines[i]}"
    [[ ! $name =~ ^(epmd|rabbitmq|postgres|mariadb)$ ]] || continue
    ! alive "$pid" "$born" || kill -s "$signal" -- "$pid" 2>/dev/null || true
  done
  for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
    read -r pid born signal grace name <<<"${lines[i]}"
    stop_pid "$pid" "$born" "$signal" "$grace"
  done
  if [[ -f $run/folders ]]; then
    while IFS= read -r folder; do
      [[ $folder == /var/tmp/ferry-* ]] || continue
      ! mountpoint -q "$folder" || as_root umount "$folder"
      rm -rf "$folder"
    done <"$run/folders"
  fi
  rm -rf "$run"
}

# stop_pid PID STARTTIME SIGNAL SECONDS: asks, waits, then kills; each process leads a group of its own, which goes too.
stop_pid() {
  local pid=$1 born=$2 signal=$3 deadline
  alive "$pid" "$born" || return 0
  kill -s "$signal" -- "$pid" || true
  now_cs
  deadline=$((NOW_CS + $4 * 100))
  while alive "$pid" "$born"; do
    now_cs
    if ((NOW_CS > deadline)); then
      kill -s KILL -- "-$pid" || kill -s KILL -- "$pid" || true
      break
    fi
    sleep 0.05
  done
  kill -s KILL -- "-$pid" || true
  # Takes note of its end quietly; bash would tell of each child that was killed.
  wait "$pid" || true
} 2>/dev/null

# spawn NAME SIGNAL SECONDS COMMAND...: starts a process in a session of its own: Ctrl-C reaches the script only, which
# then stops all in order. Its pid is in SPAWNED. The caller redirects output. SIGNAL asks it to stop, and after SECONDS
# it is killed; it also gets SIGNAL when this script is killed outright, unless the run is to outlive the script.
spawn() {
  local name=$1 signal=$2 grace=$3 guard=() drop=()
  shift 3
  [[ $KEEP_PROCESSES == yes ]] || guard=(--pdeathsig "$signal")
  if [[ -n ${SPAWN_AS:-} ]]; then
    drop=("--reuid=$SPAWN_AS" "--regid=$(id -g "$SPAWN_AS")" --init-groups)
  fi
  if ((${#guard[@]} + ${#drop[@]} > 0)); then
    setsid setpriv "${drop[@]}" "${guard[@]}" -- "$@" </dev/null &
  else
    setsid -- "$@" </dev/null &
  fi
  SPAWNED=$!
  start_time "$SPAWNED"
  SPAWNED_BORN=$BORN
  printf '%s %s %s %s %s\n' "$SPAWNED" "${SPAWNED_BORN:-0}" "$signal" "$grace" "$name" >>"$RUN/processes"
}

# attend NAME COMMAND...: runs a command to its end and returns its status, so that Ctrl-C and TERM stop it at once.
attend() {
  local name=$1 status=0
  shift
  spawn "$name" TERM 10 "$@"
  wait "$SPAWNED" || status=$?
  return "$status"
}

# attend_while CHECK NAME COMMAND...: the same, and asks CHECK now and then, with the seconds since the start: once that says
# no, the command is ended, and its status is 124.
attend_while() {
  local check=$1 name=$2 status=0 begun asked=0
  shift 2
  spawn "$name" TERM 10 "$@"
  now_cs
  begun=$NOW_CS
  while alive "$SPAWNED" "$SPAWNED_BORN"; do
    now_cs
    if ((NOW_CS - asked > 200)) && asked=$NOW_CS && ! "$check" $(((NOW_CS - begun) / 100)); then
      stop_pid "$SPAWNED" "$SPAWNED_BORN" TERM 10
      return 124
    fi
    sleep 0.1
  done
  wait "$SPAWNED" || status=$?
  return "$status"
}

# --- Ports -----------------------------------------------------------------------------------------------------------

# free_port: a loopback port that nobody listens on, in PORT; below the range that the kernel gives to outgoing
# connections. Another program may take it before it is used: whoever uses it tries again with another one.
free_port() {
  local used
  used=" $(awk 'FNR > 1 { split($2, a, ":"); printf "%s ", a[length(a)] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)"
  while :; do
    PORT=$((FIRST_PORT + SRANDOM % PORT_COUNT))
    [[ $TAKEN_PORTS != *" $PORT "* && $used != *" $(printf '%04X' "$PORT") "* ]] || continue
    TAKEN_PORTS+="$PORT "
    return 0
  done
}

# port_clash LOG...: did a server end because its port was taken in the meantime?
port_clash() { grep -qiE 'eaddrinuse|address already in use|port_already_used' "$@" 2>/dev/null; }

# --- RabbitMQ --------------------------------------------------------------------------------------------------------

# make_certificates: in $RUN/tls an authority, ca.pem, and server.pem of 127.0.0.1 and localhost.
make_certificates() {
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes) folder=$RUN/tls
  mkdir -p "$folder"
  if ! (
    umask 077
    openssl req -x509 "${key[@]}" -days 31 -subj '/CN=Authority of the private servers' \
      -keyout "$folder/ca.key" -out "$folder/ca.pem"
    openssl req -new "${key[@]}" -subj '/CN=Private server' -keyout "$folder/server.key" -out "$folder/server.csr"
    openssl x509 -req -in "$folder/server.csr" -days 30 -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial \
      -extfile <(echo subjectAltName=IP:127.0.0.1,DNS:localhost) -out "$folder/server.pem"
  ) 2>"$RUN/logs/openssl.log"; then
    show_tail "$RUN/logs/openssl.log"
    die 'the certificates of the private servers could not be made'
  fi
}

# begin_rabbitmq: starts a broker of this run's own; await_rabbitmq waits until it is ready, so that other work can be
# done in between. They set RABBITMQ_PORT, RABBITMQ_MANAGEMENT_PORT, RABBITMQ_USER, RABBITMQ_PASSWORD, RABBITMQ_URL and
# RABBITMQ_MANAGEMENT_URL, and with TLS RABBITMQ_TLS_URL and RABBITMQ_MANAGEMENT_TLS_URL.
begin_rabbitmq() {
  RABBITMQ_USER=ferry
  RABBITMQ_PASSWORD=$(random_word)
  launch_rabbitmq
}

await_rabbitmq() {
  local attempt
  for attempt in 1 2 3 4 5; do
    if rabbitmq_ready; then
      RABBITMQ_URL="amqp://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:$RABBITMQ_PORT/"
      RABBITMQ_MANAGEMENT_URL="http://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:$RABBITMQ_MANAGEMENT_PORT"
      RABBITMQ_TLS_URL="amqps://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:${RABBITMQ_TLS_PORT:-}/"
      RABBITMQ_MANAGEMENT_TLS_URL="https://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:${RABBITMQ_MANAGEMENT_TLS_PORT:-}"
      return 0
    fi
    # epmd ends without a word when its port is taken; the broker tells why.
    if ((attempt == 5)) || { alive "$EPMD_PID" "$EPMD_BORN" && ! port_clash "$RUN/logs/rabbitmq.log"; }; then
      show_tail "$RUN/logs/rabbitmq.log" 30
      die 'RabbitMQ did not become ready (waited at most 90 s)'
    fi
    stop_pid "$RABBITMQ_PID" "$RABBITMQ_BORN" KILL 5
    stop_pid "$EPMD_PID" "$EPMD_BORN" KILL 5
    rm -rf "$RUN/rabbitmq"
    launch_rabbitmq
  done
}

rabbitmq_memory_limit() {
  # 40 % of the machine's memory, at most 2 GiB: a demo must not press its machine, and never needs more.
  awk '/^MemTotal:/ { m = $2 * 1024 * 0.4; printf "%d", (m > 2147483648 ? 2147483648 : m) }' /proc/meminfo
}

launch_rabbitmq() {
  local home=$RUN/rabbitmq distribution_port epmd_port
  free_port && RABBITMQ_PORT=$PORT
  free_port && RABBITMQ_MANAGEMENT_PORT=$PORT
  free_port && distribution_port=$PORT
  free_port && epmd_port=$PORT
  if [[ $SERVERS_SPEAK_TLS == yes ]]; then
    free_port && RABBITMQ_TLS_PORT=$PORT
    free_port && RABBITMQ_MANAGEMENT_TLS_PORT=$PORT
  fi
  mkdir -p "$home/conf.d"
  echo '[rabbitmq_management].' >"$home/enabled_plugins"
  if [[ $RABBITMQ_PROMETHEUS == yes ]]; then
    free_port && RABBITMQ_PROMETHEUS_PORT=$PORT
    echo '[rabbitmq_management, rabbitmq_prometheus].' >"$home/enabled_plugins"
    (umask 077 && printf 'prometheus.tcp.%s\n' 'ip = 127.0.0.1' "port = $RABBITMQ_PROMETHEUS_PORT" >"$home/rabbitmq.conf")
  fi
  (
    umask 077
    cat >>"$home/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$RABBITMQ_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $RABBITMQ_MANAGEMENT_PORT
default_user = $RABBITMQ_USER
default_pass = $RABBITMQ_PASSWORD
vm_memory_high_watermark.absolute = $(rabbitmq_memory_limit)
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 134217728
# No message rates: nothing here reads them.
management.rates_mode = none
# The management interface looks at queues once a second, not once in 5 s: a new policy shows that soon.
management.sample_retention_policies.global.minute = 1
management.sample_retention_policies.basic.minute = 1
management.sample_retention_policies.detailed.minute = 1
log.file = false
log.console = true
log.console.level = info
log.console.use_colors = off
CONF
    if [[ $SERVERS_SPEAK_TLS == yes ]]; then
      cat >>"$home/rabbitmq.conf" <<CONF
listeners.ssl.1 = 127.0.0.1:$RABBITMQ_TLS_PORT
ssl_options.cacertfile = $RUN/tls/ca.pem
ssl_options.certfile = $RUN/tls/server.pem
ssl_options.keyfile = $RUN/tls/server.key
ssl_options.verify = verify_none
management.ssl.ip = 127.0.0.1
management.ssl.port = $RABBITMQ_MANAGEMENT_TLS_PORT
management.ssl.cacertfile = $RUN/tls/ca.pem
management.ssl.certfile = $RUN/tls/server.pem
management.ssl.keyfile = $RUN/tls/server.key
CONF
    fi
  )
  local environment=(
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 "HOME=$home"
    RABBITMQ_NODENAME=ferry@localhost
    "RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf"
    "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf"
    "RABBITMQ_CONFIG_FILES=$home/conf.d"
    "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config"
    "RABBITMQ_GENERATED_CONFIG_DIR=$home/config"
    "RABBITMQ_SCHEMA_DIR=$home/schema"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins"
    "RABBITMQ_MNESIA_BASE=$home/mnesia"
    "RABBITMQ_LOG_BASE=$home/log"
    "RABBITMQ_PID_FILE=$home/pid"
    "RABBITMQ_DIST_PORT=$distribution_port"
    "ERL_EPMD_PORT=$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
    "ERL_CRASH_DUMP=$home/erl_crash.dump" ERL_CRASH_DUMP_SECONDS=0
    # No busy waiting of idle schedulers: on two cores it would eat what the workers need.
    RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD=none
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
    # Makes the start script exec the Erlang machine, so that our pid is the broker's.
    RUNNING_UNDER_SYSTEMD=true
  )
  # Quorum queues tell their depth once a tick; the default of 5 s is too slow to watch.
  echo '[{rabbit, [{quorum_tick_interval, 1000}]}].' >"$home/advanced.config"
  : >"$home/rabbitmq-env.conf"
  # Erlang's name server, in the foreground: started by the broker it would outlive it.
  spawn epmd TERM 5 env -i "${environment[@]}" epmd -port "$epmd_port" -address 127.0.0.1 >"$RUN/logs/epmd.log" 2>&1
  EPMD_PID=$SPAWNED EPMD_BORN=$SPAWNED_BORN
  # On TERM it closes its files within a tenth of a second, then waits 6 s for its web server, which nobody needs here.
  RABBITMQ_ENVIRONMENT=("${environment[@]}")
  : >"$RUN/logs/rabbitmq.log"
  spawn_rabbitmq
}

# spawn_rabbitmq: the broker with the ports and the data that it had.
spawn_rabbitmq() {
  spawn rabbitmq TERM 2 env -i "${RABBITMQ_ENVIRONMENT[@]}" "$RABBITMQ_BIN/rabbitmq-server" \
    >>"$RUN/logs/rabbitmq.log" 2>&1
  RABBITMQ_PID=$SPAWNED RABBITMQ_BORN=$SPAWNED_BORN
}

# curl_rabbitmq PATH [CURL OPTION...]: the password goes through standard input, so that `ps` does not show it.
curl_rabbitmq() {
  local path=$1
  shift
  printf 'user = "%s:%s"\n' "$RABBITMQ_USER" "$RABBITMQ_PASSWORD" |
    curl --silent --noproxy '*' --max-time 5 -K - "$@" "http://127.0.0.1:$RABBITMQ_MANAGEMENT_PORT$path"
}

rabbitmq_ready() {
  local deadline
  now_cs
  deadline=$((NOW_CS + 9000))
  while ((NOW_CS < deadline)); do
    alive "$RABBITMQ_PID" "$RABBITMQ_BORN" && alive "$EPMD_PID" "$EPMD_BORN" || return 1
    # Answers 200 only when the AMQP port itself listens, which is the last step of the broker's start.
    if curl_rabbitmq "/api/health/checks/port-listener/$RABBITMQ_PORT" --fail --output /dev/null; then return 0; fi
    sleep 0.2
    now_cs
  done
  return 1
}

# --- PostgreSQL ------------------------------------------------------------------------------------------------------

# start_postgres: a database server of this run's own, ready when it returns. Sets POSTGRES_PORT, POSTGRES_USER,
# POSTGRES_PASSWORD and POSTGRES_URL.
start_postgres() {
  local attempt
  POSTGRES_USER=ferry
  POSTGRES_PASSWORD=$(random_word)
  prepare_postgres
  for attempt in 1 2 3 4 5; do
    launch_postgres
    if postgres_ready; then
      psql_here postgres -c 'create database ferry' || die "could not create the database"
      POSTGRES_URL="postgresql://$POSTGRES_USER:$POSTGRES_PASSWORD@127.0.0.1:$POSTGRES_PORT/ferry"
      return 0
    fi
    stop_pid "$POSTGRES_PID" "$POSTGRES_BORN" INT 10
    if ((attempt == 5)) || ! port_clash "$RUN/logs/postgres.log"; then
      show_tail "$RUN/logs/postgres.log" 30
      die "PostgreSQL did not become ready (waited at most 60 s)"
    fi
  done
}

# PostgreSQL refuses to run as root, and Debian's user postgres may not reach a checkout below someone's home.
# prepare_postgres: a new cluster in $POSTGRES_FOLDER, or where that is empty in the run's folder.
prepare_postgres() {
  POSTGRES_FOLDER=${POSTGRES_FOLDER:-$RUN/postgres}
  POSTGRES_AS=
  mkdir -p "$POSTGRES_FOLDER"
  if ((EUID == 0)); then
    POSTGRES_AS=postgres
    chown postgres: "$POSTGRES_FOLDER"
    if ! as_postgres test -w "$POSTGRES_FOLDER" 2>/dev/null; then
      rm -rf "$POSTGRES_FOLDER"
      POSTGRES_FOLDER=$(mktemp -d /var/tmp/ferry-postgres-XXXXXX)
      echo "$POSTGRES_FOLDER" >>"$RUN/folders"
      chown postgres: "$POSTGRES_FOLDER"
      say "User postgres cannot reach $CHECKOUT: the database's files are in $POSTGRES_FOLDER until the end."
    fi
  fi
  (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >"$POSTGRES_FOLDER/password")
  [[ -z $POSTGRES_AS ]] || chown postgres: "$POSTGRES_FOLDER/password"
  # The cluster is thrown away at the end, so initdb need not sync; the running server does (fsync stays on).
  if ! (cd "$POSTGRES_FOLDER" && as_postgres "$POSTGRES_BIN/initdb" --pgdata="$POSTGRES_FOLDER/data" \
    --username="$POSTGRES_USER" --pwfile="$POSTGRES_FOLDER/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync) >"$RUN/logs/initdb.log" 2>&1; then
    show_tail "$RUN/logs/initdb.log" 30
    die "initdb failed"
  fi
  rm -f "$POSTGRES_FOLDER/password"
  if [[ $SERVERS_SPEAK_TLS == yes ]]; then
    cp "$RUN/tls/server.pem" "$RUN/tls/server.key" "$POSTGRES_FOLDER"
    # Taken only when nobody but its user can read it.
    chmod 600 "$POSTGRES_FOLDER/server.key"
    [[ -z $POSTGRES_AS ]] || chown postgres: "$POSTGRES_FOLDER/server.pem" "$POSTGRES_FOLDER/server.key"
  fi
}

# as_postgres COMMAND...: as the user that the database runs as, with a clean environment.
as_postgres() {
  local command=(env -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$POSTGRES_FOLDER" "$@")
  if [[ -n $POSTGRES_AS ]]; then
    setpriv "--reuid=$POSTGRES_AS" "--regid=$(id -g "$POSTGRES_AS")" --init-groups -- "${command[@]}"
  else
    "${command[@]}"
  fi
}

launch_postgres() {
  local sockets=$POSTGRES_FOLDER
  free_port && POSTGRES_PORT=$PORT
  # A unix socket's path may have 107 bytes; in a deeper checkout there is none, and TCP alone serves.
  local path="$sockets/.s.PGSQL.$POSTGRES_PORT"
  if (($(printf '%s' "$path" | wc -c) > 107)); then sockets=; else sockets="\"${sockets//\"/\"\"}\""; fi
  POSTGRES_SOCKETS=$sockets
  : >"$RUN/logs/postgres.log"
  spawn_postgres
}

# spawn_postgres: the server with the port and the data that it had.
spawn_postgres() {
  local tls=()
  if [[ $SERVERS_SPEAK_TLS == yes ]]; then
    tls=(-c ssl=on -c "ssl_cert_file=$POSTGRES_FOLDER/server.pem" -c "ssl_key_file=$POSTGRES_FOLDER/server.key")
  fi
  SPAWN_AS=$POSTGRES_AS spawn postgres INT 20 env -i "PATH=$PATH" LANG=C.UTF-8 "$POSTGRES_BIN/postgres" \
    -D "$POSTGRES_FOLDER/data" \
    -c listen_addresses=127.0.0.1 -c "port=$POSTGRES_PORT" -c "unix_socket_directories=$POSTGRES_SOCKETS" \
    -c max_connections=500 -c logging_collector=off "${tls[@]}" >>"$RUN/logs/postgres.log" 2>&1
  POSTGRES_PID=$SPAWNED POSTGRES_BORN=$SPAWNED_BORN
}

# psql_here DATABASE [OPTION...]: ended after two minutes, so that a server that stands still holds up nobody for good.
psql_here() {
  PGPASSWORD=$POSTGRES_PASSWORD PGCONNECT_TIMEOUT=5 timeout --foreground -k 5 120 "$POSTGRES_BIN/psql" --no-psqlrc --quiet --tuples-only --no-align \
    -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$POSTGRES_PORT" -U "$POSTGRES_USER" -d "$@" </dev/null
}

postgres_ready() {
  local deadline
  now_cs
  deadline=$((NOW_CS + 6000))
  while ((NOW_CS < deadline)); do
    alive "$POSTGRES_PID" "$POSTGRES_BORN" || return 1
    if psql_here postgres -c 'select 1' >/dev/null 2>&1; then return 0; fi
    sleep 0.1
    now_cs
  done
  return 1
}

# --- MariaDB ---------------------------------------------------------------------------------------------------------

# start_mariadb: a server of this run's own without a network, ready when it returns; whoever may enter its folder is
# its root. Sets MARIADB_SOCKET.
start_mariadb() {
  MARIADB_FOLDER=$RUN/mariadb
  MARIADB_AS=
  local deadline
  mkdir -m 700 "$MARIADB_FOLDER"
  ((EUID != 0)) || MARIADB_AS=mysql
  [[ -z $MARIADB_AS ]] || chown mysql: "$MARIADB_FOLDER"
  # A unix socket's path may have 107 bytes, and Debian's user mysql may not reach a checkout below someone's home.
  if (($(printf '%s' "$MARIADB_FOLDER/socket" | wc -c) > 107)) || ! as_mariadb test -w "$MARIADB_FOLDER" 2>/dev/null; then
    rm -rf "$MARIADB_FOLDER"
    MARIADB_FOLDER=$(mktemp -d /var/tmp/ferry-mariadb-XXXXXX)
    echo "$MARIADB_FOLDER" >>"$RUN/folders"
    [[ -z $MARIADB_AS ]] || chown mysql: "$MARIADB_FOLDER"
  fi
  MARIADB_SOCKET=$MARIADB_FOLDER/socket
  if ! (cd "$MARIADB_FOLDER" && as_mariadb mariadb-install-db --no-defaults "--datadir=$MARIADB_FOLDER/data" \
    --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-log-file-size=8M) \
    >"$RUN/logs/mariadb-install-db.log" 2>&1; then
    show_tail "$RUN/logs/mariadb-install-db.log" 30
    die 'mariadb-install-db failed'
  fi
  SPAWN_AS=$MARIADB_AS spawn mariadb TERM 20 env -i "PATH=$PATH" LANG=C.UTF-8 "$MARIADB_BIN/mariadbd" --no-defaults \
    "--datadir=$MARIADB_FOLDER/data" --skip-networking "--socket=$MARIADB_SOCKET" "--pid-file=$MARIADB_FOLDER/pid" \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci '--default-time-zone=+08:00' \
    --innodb-log-file-size=8M --innodb-buffer-pool-size=16M --performance-schema=OFF >"$RUN/logs/mariadb.log" 2>&1
  now_cs
  deadline=$((NOW_CS + 6000))
  while ! mariadb --no-defaults "--socket=$MARIADB_SOCKET" --user=root -e 'select 1' >/dev/null 2>&1; do
    now_cs
    if ((NOW_CS > deadline)) || ! alive "$SPAWNED" "$SPAWNED_BORN"; then
      show_tail "$RUN/logs/mariadb.log" 30
      die 'MariaDB did not become ready (waited at most 60 s)'
    fi
    sleep 0.1
  done
}

# as_mariadb COMMAND...: as the user that MariaDB runs as, with a clean environment.
as_mariadb() {
  local command=(env -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$MARIADB_FOLDER" "$@")
  if [[ -n $MARIADB_AS ]]; then
    setpriv "--reuid=$MARIADB_AS" "--regid=$(id -g "$MARIADB_AS")" --init-groups -- "${command[@]}"
  else
    "${command[@]}"
  fi
}

# start_servers: RabbitMQ and PostgreSQL, side by side, with one line said at the end.
start_servers() {
  local began took
  now_cs
  began=$NOW_CS
  [[ $SERVERS_SPEAK_TLS == no ]] || make_certificates
  begin_rabbitmq
  start_postgres
  await_rabbitmq
  now_cs
  took=$((NOW_CS - began))
  took=$((took / 100)).$((took % 100 / 10))
  say "PostgreSQL (127.0.0.1:$POSTGRES_PORT) and RabbitMQ (127.0.0.1:$RABBITMQ_PORT) are ready after $took s."
}
