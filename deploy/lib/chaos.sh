# shellcheck shell=bash disable=SC2034,SC2054,SC2153  # it shares its names with servers.sh and deploy/chaos; lists have commas
# What the scenarios of deploy/chaos are made of: simulators, workers that can be killed and started again, poison, the
# look at the queues, the ledger and both books at the end. Needs servers.sh.

# --- One scenario ----------------------------------------------------------------------------------------------------

SCENE=            # the scenario's name
SCENE_NUMBER=0
LATE=0            # how far ahead the clock was put last, behind that end
SCENE_END=0       # when it must be over, hundredths of a second since boot; 0: not set
VHOST=%2F         # its virtual host, as it stands in addresses; outside of a scene, and on a cluster, the broker's own
FAILURES=()       # what was not as it must be, in words
INJECTED=0        # faults that this script has injected
RECOVERY=         # the longest recovery, hundredths of a second; empty: none was measured
PARKED=0          # messages that must lie in the dead queues, beside the orders that cannot be mapped
PARKED_TWICE=0    # how many of them may lie there twice: their worker was killed before it acknowledged
LOST=- DUPLICATED=- ORDERS=0
CLUSTER_PIDS=() CLUSTER_BORN=() CLUSTER_MANAGEMENT=() AMQP_PORTS=()
PLACE=()          # in front of a worker's command: where it runs
FAR=() ROUTER=()  # what runs a command on the other machine, and between the two
declare -A PID=() BORN_AT=() ROLE=() ADMIN=()

# The clock of servers.sh. Behind the end that a scenario has been set it is days ahead, and further with each look: every
# wait is over at once, also one that begins then, and the scenario comes to its own end.
now_cs() {
  local up rest
  read -r up rest </proc/uptime
  : "$rest"
  NOW_CS=$((10#${up/./}))
  if ((SCENE_END > 0 && NOW_CS > SCENE_END)); then
    LATE=$((LATE + 100000000)) NOW_CS=$((NOW_CS + LATE))
  fi
}

fail() { FAILURES+=("$*"); }

# recovered SINCE_CS: it goes on again now; the longest such time counts.
recovered() {
  now_cs
  if [[ -z $RECOVERY ]] || ((NOW_CS - $1 > RECOVERY)); then RECOVERY=$((NOW_CS - $1)); fi
}

inject() { INJECTED=$((INJECTED + ${1:-1})); }

# injected COUNT WHAT: so many faults were seen to strike; where it is none, the scenario has shown nothing.
injected() {
  if [[ $1 =~ ^[0-9]+$ ]] && (($1 > 0)); then
    inject "$1"
  else
    fail "the fault was not injected: $2"
    return 1
  fi
}

# begin_vhost: the scene's queues in a virtual host of their own, which ends with them.
begin_vhost() {
  VHOST=chaos-$SCENE_NUMBER
  if ! curl_rabbitmq "/api/vhosts/$VHOST" --fail --max-time 30 --output /dev/null -X PUT ||
    ! curl_rabbitmq "/api/permissions/$VHOST/$RABBITMQ_USER" --fail --output /dev/null -X PUT \
      --data '{"configure":".*","write":".*","read":".*"}'; then
    fail 'RabbitMQ gives the scene no virtual host'
    return 1
  fi
}

end_vhost() {
  [[ $VHOST != %2F ]] || return 0
  curl_rabbitmq "/api/vhosts/$VHOST" --fail --max-time 60 --output /dev/null -X DELETE ||
    fail "the virtual host $VHOST, with the scene's queues, stays on the broker"
  VHOST=%2F
}

# scene ORDERS [OKKI'S OPTION...]: new books, new queues, new tables, no worker.
scene() {
  local seed=$((SEED + SCENE_NUMBER)) orders=$1
  shift
  SCENE_NUMBER=$((SCENE_NUMBER + 1))
  PREFIX=c$SCENE_NUMBER. SCHEMA=c$SCENE_NUMBER
  # A cluster is the scene's own as it is.
  if ((${#CLUSTER_PIDS[@]} == 0)); then begin_vhost || return 1; fi
  # Beside each other, for it takes seconds; the migration asks neither vendor.
  OKKI_URL=http://127.0.0.1:9 K3_URL=http://127.0.0.1:9
  settings
  command_line FERRY_ADMIN_PORT=0 -- migrate
  spawn "$SCENE-migrate" TERM 10 "${COMMAND[@]}" >"$RUN/logs/$SCENE-migrate.log" 2>&1
  PID[migrate]=$SPAWNED BORN_AT[migrate]=$SPAWNED_BORN
  simulator okki --seed "$seed" --orders "$orders" --lines 2 --companies 100 "$@" || return 1
  OKKI_URL=$URL
  simulator k3 --seed "$seed" --orders "$orders" || return 1
  K3_URL=$URL
  SETTINGS+=("FERRY_OKKI_URL=$OKKI_URL" "FERRY_K3_URL=$K3_URL")
  if ! await_death migrate 60 || ((STATUS != 0)); then
    show_tail "$RUN/logs/$SCENE-migrate.log"
    fail 'ferry migrate failed, or was not done in 60 s'
    return 1
  fi
  unset 'PID[migrate]'
}

# simulator okki|k3 OPTION...: sets URL.
simulator() {
  local kind=$1 port_file=$RUN/$SCENE-$1.port log=$RUN/logs/$SCENE-$1.log deadline port
  shift
  spawn "$SCENE-$kind" TERM 5 "$BIN/vendorsim" "$kind" --port 0 --port-file "$port_file" "$@" >"$log" 2>&1
  PID[$kind]=$SPAWNED BORN_AT[$kind]=$SPAWNED_BORN
  now_cs
  deadline=$((NOW_CS + 3000))
  while ((NOW_CS < deadline)) && alive "$SPAWNED" "$SPAWNED_BORN"; do
    port=$(tr -cd 0-9 2>/dev/null <"$port_file" || true)
    if [[ -n $port ]] && curl -sf --noproxy '*' --max-time 2 -o /dev/null "http://127.0.0.1:$port/_sim/stats"; then
      URL=http://127.0.0.1:$port
      return 0
    fi
    sleep 0.05
    now_cs
  done
  show_tail "$log"
  fail "the simulated $kind did not answer within 30 s"
  return 1
}

secret() { (umask 077 && printf '%s\n' "$2" >"$RUN/secrets/$1"); }

# A Save may take 2 s, K/3 shows a bill after 1 s, so a lease need not be longer than 23 s.
settings() {
  secret okki-client-secret ferry-demo-secret
  secret k3-authority-code 0123456789abcdef0123456789abcdef0123456789abcdef
  secret rabbitmq-url "$RABBITMQ_URL$VHOST"
  secret rabbitmq-management-url "$RABBITMQ_MANAGEMENT_URL"
  secret postgres-url "$POSTGRES_URL"
  SETTINGS=(
    "FERRY_OKKI_URL=$OKKI_URL" FERRY_OKKI_CLIENT_ID=ferry-demo
    "FERRY_OKKI_CLIENT_SECRET_FILE=$RUN/secrets/okki-client-secret" FERRY_OKKI_RATE_PER_SECOND=100000
    "FERRY_K3_URL=$K3_URL" "FERRY_K3_AUTHORITY_CODE_FILE=$RUN/secrets/k3-authority-code" FERRY_K3_CONCURRENCY=8
    FERRY_K3_SAVE_TIMEOUT_SECONDS=2 FERRY_K3_VISIBLE_SECONDS=1 FERRY_LEASE_SECONDS=23
    "FERRY_RABBITMQ_URL_FILE=$RUN/secrets/rabbitmq-url"
    "FERRY_RABBITMQ_MANAGEMENT_URL_FILE=$RUN/secrets/rabbitmq-management-url" "FERRY_QUEUE_PREFIX=$PREFIX"
    "FERRY_POSTGRES_URL_FILE=$RUN/secrets/postgres-url" "FERRY_POSTGRES_SCHEMA=$SCHEMA"
    "FERRY_STRATEGIES=$CHECKOUT/deploy/strategies" FERRY_RETRY_SECONDS=1,2,5,10
    FERRY_POLL_INTERVAL_SECONDS=1 FERRY_POLL_LAG_SECONDS=1 FERRY_POLL_PAGE_SIZE=100 FERRY_RECONCILE_INTERVAL_SECONDS=0
    "FERRY_POLL_SINCE=$(TZ=CST-8 date -d '-2 hours' '+%Y-%m-%d %H:%M:%S')"
    FERRY_SHUTDOWN_SECONDS=10 FERRY_LOG_FORMAT=json
  )
}

# command_line SETTING... -- ARGUMENT...: in COMMAND. A later setting takes the place of an earlier one.
command_line() {
  local extra=()
  while [[ $1 != -- ]]; do
    extra+=("$1")
    shift
  done
  shift
  COMMAND=(env -i "PATH=$PATH" "HOME=$RUN" LANG=C.UTF-8 "${SETTINGS[@]}" "${extra[@]}" "$BIN/ferry" "$@")
}

# --- Workers ---------------------------------------------------------------------------------------------------------

# worker NAME ROLE [SETTING...]: starts one and returns at once.
worker() {
  local name=$1 role=$2
  shift 2
  free_port
  command_line "FERRY_ADMIN_PORT=$PORT" "$@" -- "$role"
  spawn "$SCENE-$name" TERM 12 "${PLACE[@]}" "${COMMAND[@]}" >>"$RUN/logs/$SCENE-$name.log" 2>&1
  PID[$name]=$SPAWNED BORN_AT[$name]=$SPAWNED_BORN ROLE[$name]=$role ADMIN[$name]=http://127.0.0.1:$PORT
}

# crew TRANSFORMERS LOADERS: these and one poller.
crew() {
  local i
  for ((i = 1; i <= $2; i++)); do worker "load-$i" load; done
  for ((i = 1; i <= $1; i++)); do worker "transform-$i" transform; done
  worker poll poll
}

is_alive() { alive "${PID[$1]}" "${BORN_AT[$1]}"; }

# signal SIGNAL NAME...
signal() {
  local what=$1 name
  shift
  for name in "$@"; do kill -s "$what" "${PID[$name]}" 2>/dev/null || true; done
}

# await_death NAME SECONDS: sets STATUS; returns 1 when it still lives.
await_death() {
  now_cs
  local deadline=$((NOW_CS + $2 * 100))
  while is_alive "$1"; do
    now_cs
    ((NOW_CS < deadline)) || return 1
    sleep 0.02
  done
  STATUS=0
  wait "${PID[$1]}" || STATUS=$?
} 2>/dev/null # bash would tell of each process that was killed

# kill_worker NAME: kill −9, and its end awaited.
kill_worker() {
  signal KILL "$1"
  await_death "$1" 10 || fail "$1 survived SIGKILL"
}

# again NAME [SETTING...]: the same role under the same name.
again() {
  local name=$1
  shift
  worker "$name" "${ROLE[$name]}" "$@"
}

# stop_worker NAME: SIGTERM; it must end with 0.
stop_worker() {
  signal TERM "$1"
  if ! await_death "$1" 13; then
    kill_worker "$1"
    fail "$1 did not end within 13 s of SIGTERM"
  elif ((STATUS != 0)); then
    fail "$1 ended with $STATUS after SIGTERM"
  fi
}

# clear_scene: ends all that the scenario has started, without a word, and removes its queues.
clear_scene() {
  local name
  for name in "${!PID[@]}"; do
    signal CONT "$name"
    signal KILL "$name"
    wait "${PID[$name]}" 2>/dev/null || true
  done
  PID=() BORN_AT=() ROLE=() ADMIN=()
  end_vhost
} 2>/dev/null

# freeze WHAT PID...: SIGSTOP; one fault, when all of them stand still. Of the others than the first, one may have ended.
freeze() {
  local what=$1 first=$2 pid stat deadline
  shift
  kill -s STOP "$@" 2>/dev/null || true
  now_cs
  deadline=$((NOW_CS + 200))
  for pid in "$@"; do
    while :; do
      stat=
      { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || true
      case ${stat##*) } in
        T*) break ;;
        Z* | '') ((pid == first)) || break ;;
      esac
      now_cs
      if ((NOW_CS > deadline)); then
        injected 0 "$what does not stand still"
        return 1
      fi
      sleep 0.02
    done
  done
  inject
}

# metric NAME METRIC: a counter of a worker over all its labels, in FIGURE; -1 when the worker does not tell.
metric() {
  FIGURE=$(ask "${ADMIN[$1]}/metrics" |
    awk -v name="$2" '{ told = 1; split($1, part, "{"); if (part[1] == name) n += $NF } END { print told ? n + 0 : -1 }')
}

# consumes NAME: whether a worker does what it was started for: a poller leads; a loader has ended a message; so has a
# transformer, or it is ready and has nothing to take.
consumes() {
  case ${ROLE[$1]} in
    poll) metric "$1" ferry_poll_leader ;;
    *) metric "$1" ferry_outcomes_total ;;
  esac
  ((FIGURE <= 0)) || return 0
  [[ ${ROLE[$1]} == transform ]] && ask -o /dev/null "${ADMIN[$1]}/readyz"
}

# consumes_again NAME SINCE_CS SECONDS: waits for it, and notes how long it took.
consumes_again() {
  now_cs
  local deadline=$(($2 + $3 * 100))
  until consumes "$1"; do
    now_cs
    if ((NOW_CS > deadline)); then
      fail "$1 does not consume after $3 s"
      return 1
    fi
    sleep 0.1
  done
  recovered "$2"
}

# sessions_of NAME: the ports that a worker's connections to PostgreSQL come from, with commas, in PORTS.
sessions_of() {
  local port
  PORTS=
  while read -r port; do PORTS+=${PORTS:+,}$((16#$port)); done < <(
    find "/proc/${PID[$1]}/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null |
      awk -v remote="$(printf ':%04X' "$POSTGRES_PORT")" '
        FNR == NR { gsub(/[^0-9]/, ""); mine[$0]; next }
        $10 in mine && substr($3, 9) == remote { print substr($2, 10) }' - /proc/net/tcp
  )
}

# --- Vendors, queues, ledger -----------------------------------------------------------------------------------------

ask() { curl -sf --noproxy '*' --max-time 5 "$@"; }

# tell URL JSON: an order to a simulator's admin surface.
tell() { ask -o /dev/null -d "$2" "$1" || fail "$1 refused $2"; }

k3() { tell "$K3_URL/_sim/$1" "$2"; }
okki() { tell "$OKKI_URL/_sim/$1" "$2"; }

# figure URL NAME: a whole number of a simulator's stats, in FIGURE; -1 when there is none.
figure() {
  local text
  FIGURE=-1
  text=$(ask "$1/_sim/stats") || return 0
  [[ $text =~ \"$2\":([0-9]+) ]] && FIGURE=${BASH_REMATCH[1]}
}

stored() { figure "$K3_URL" stored; STORED=$FIGURE; }

# await_stored COUNT SECONDS: until K/3 has stored so many bills.
await_stored() {
  now_cs
  local deadline=$((NOW_CS + $2 * 100))
  while stored; ((STORED < $1)); do
    now_cs
    if ((NOW_CS > deadline)); then
      fail "K/3 has $STORED bills after $2 s, not $1"
      return 1
    fi
    sleep 0.05
  done
}

# under_load: a fault strikes while orders are on their way, or the scenario shows nothing.
under_load() {
  local wanted
  figure "$OKKI_URL" expected_load && wanted=$FIGURE
  stored
  ((STORED < wanted)) || injected 0 "K/3 has all $STORED bills before it"
}

# newest_order: the number of the order that OKKI made last, in NEWEST.
newest_order() {
  local text
  NEWEST=
  figure "$OKKI_URL" orders
  text=$(ask "$OKKI_URL/_sim/orders?from=$((FIGURE - 1))&count=1") || true
  [[ $text =~ \"number\":\"([^\"]+)\" ]] && NEWEST=${BASH_REMATCH[1]}
}

# was_sent NUMBER: whether K/3 was sent a bill of that number.
was_sent() { [[ $(ask "$K3_URL/_sim/journal?last=10000&key=$1") == *'"SO/Save"'* ]]; }

# recovers SINCE_CS SECONDS: new orders come, and by then K/3 must be sent the newest of them. In the long form many orders wait
# before it: there so many seconds may pass without any bill.
recovers() {
  local deadline before=-1
  okki orders '{"add":3}'
  newest_order
  now_cs
  deadline=$(($1 + $2 * 100))
  until was_sent "$NEWEST"; do
    now_cs
    if [[ $LONG == yes ]]; then
      stored
      if ((STORED > before)); then before=$STORED deadline=$((NOW_CS + $2 * 100)); fi
    fi
    if ((NOW_CS > deadline)); then
      fail "a new order was not sent within $2 s of a fault"
      return 1
    fi
    sleep 0.1
  done
  recovered "$1"
}

# goes_on SINCE_CS SECONDS: the same, but anything that K/3 stores will do: what is frozen may hold the new ones.
goes_on() {
  stored
  local before=$STORED deadline
  now_cs
  deadline=$((NOW_CS + $2 * 100))
  while stored; ((STORED <= before)); do
    now_cs
    if ((NOW_CS > deadline)); then
      fail "nothing was stored within $2 s of a fault"
      return 1
    fi
    sleep 0.05
  done
  recovered "$1"
}

# depths: messages that wait and messages that are parked, in WAITING and DEAD; -1 when the broker does not tell.
depths() {
  local text
  WAITING=-1 DEAD=-1
  text=$(curl_rabbitmq "/api/queues/$VHOST?disable_stats=true&enable_queue_totals=true&columns=name,messages" --fail) || return 0
  read -r WAITING DEAD < <(tr '{' '\n' <<<"$text" | awk -v prefix="$PREFIX" '
    match($0, /"name":"[^"]*"/) {
      name = substr($0, RSTART + 8, RLENGTH - 9)
      if (index(name, prefix) != 1) next
      found = 1
      if (!match($0, /"messages":[0-9]+/)) { unknown = 1; next }
      count = substr($0, RSTART + 11, RLENGTH - 11)
      if (name ~ /\.dead$/) dead += count; else waiting += count
    }
    END { print (unknown || !found ? -1 : waiting + 0), dead + 0 }')
}

# parked QUEUE...: the messages that lie there, a line for each: order, reason, when; - where there is none.
parked() {
  local queue
  for queue in "$@"; do
    curl_rabbitmq "/api/queues/$VHOST/$PREFIX$queue/get" \
      --data '{"count":200,"ackmode":"ack_requeue_true","encoding":"base64","truncate":1}' |
      sed 's/{"payload_bytes"/\n&/g' | awk '
        function told(name, pattern) {
          if (!match($0, "\"" name "\":\"?" pattern)) return "-"
          return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
        }
        /payload_bytes/ {
          reason = told("ferry-parked-reason", "[a-z_0-9]+")
          sub(/^"/, "", reason)
          print told("ferry-order-id", "[0-9]+"), reason, told("ferry-parked-at", "[0-9]+")
        }'
  done
}

# reasons QUEUE...: how many messages lie there for which reason.
reasons() {
  parked "$@" | awk '$2 != "-" { print $2 }' | sort | uniq -c |
    awk '{ printf "%s%s %s", comma, $1, $2; comma = ", " }'
}

# sql STATEMENT: its result, or -1 when it failed; the scene's log of it says why.
sql() { psql_here ferry -c "$1" 2>>"$RUN/logs/$SCENE-sql.log" || echo -1; }

# poison QUEUE BODY [ORDER_ID]: a message that nobody can carry; with an id it has all headers of an order.
poison() {
  publish "$@"
  PARKED=$((PARKED + 1))
}

# publish QUEUE BODY [ORDER_ID]: the same, of any message.
publish() {
  local answer properties='{"delivery_mode":2}'
  if [[ -n ${3:-} ]]; then
    properties='{"delivery_mode":2,"content_type":"application/json","type":"order","message_id":"'$3'-1","headers":{
      "ferry-format":1,"ferry-order-id":'$3',"ferry-order-number":"POISON-'$3'","ferry-revision":1,
      "ferry-update-time":1770000000,"ferry-attempt":1,"ferry-first-seen":1}}'
  fi
  printf '{"properties":%s,"routing_key":"%s","payload_encoding":"base64","payload":"%s"}' \
    "$properties" "$1" "$(base64 -w0 <<<"$2")" >"$RUN/poison"
  answer=$(curl_rabbitmq "/api/exchanges/$VHOST/${PREFIX}ferry/publish" --data-binary "@$RUN/poison") || true
  [[ $answer == *'"routed":true'* ]] || fail "a message was not taken: $answer"
}

# begin_cluster: three brokers beside the suite's own one, which share its name server. Sets CLUSTER_PIDS, and the broker
# that curl_rabbitmq and the workers speak with to the first of them; AMQP_PORTS are all three's.
begin_cluster() {
  local i entry home environment cookie amqp management distribution
  cookie=$(random_word)
  CLUSTER_PIDS=() CLUSTER_BORN=() AMQP_PORTS=()
  for i in 1 2 3; do
    home=$RUN/cluster-$i
    free_port && amqp=$PORT
    free_port && management=$PORT
    free_port && distribution=$PORT
    mkdir -p "$home/conf.d"
    cp "$RUN/rabbitmq/enabled_plugins" "$RUN/rabbitmq/advanced.config" "$RUN/rabbitmq/rabbitmq-env.conf" "$home"
    (
      umask 077
      printf '%s' "$cookie" >"$home/.erlang.cookie"
      {
        sed "s/^listeners.tcp.1 = .*/listeners.tcp.1 = 127.0.0.1:$amqp/
          s/^management.tcp.port = .*/management.tcp.port = $management/" "$RUN/rabbitmq/rabbitmq.conf"
        printf 'cluster_formation.peer_discovery_backend = classic_config\n'
        printf 'cluster_formation.classic_config.nodes.%d = ferry%d@localhost\n' 1 1 2 2 3 3
      } >"$home/rabbitmq.conf"
    )
    chmod 400 "$home/.erlang.cookie"
    environment=()
    for entry in "${RABBITMQ_ENVIRONMENT[@]}"; do
      entry=${entry//"$RUN/rabbitmq"/"$home"}
      case $entry in
        RABBITMQ_NODENAME=*) entry=RABBITMQ_NODENAME=ferry$i@localhost ;;
        RABBITMQ_DIST_PORT=*) entry=RABBITMQ_DIST_PORT=$distribution ;;
      esac
      environment+=("$entry")
    done
    spawn "cluster-$i" TERM 2 env -i "${environment[@]}" "$RABBITMQ_BIN/rabbitmq-server" \
      >"$RUN/logs/$SCENE-node-$i.log" 2>&1
    CLUSTER_PIDS+=("$SPAWNED") CLUSTER_BORN+=("$SPAWNED_BORN") AMQP_PORTS+=("$amqp")
    # One after the other: those that start together may each found a cluster of their own.
    RABBITMQ_PORT=$amqp RABBITMQ_MANAGEMENT_PORT=$management RABBITMQ_PID=$SPAWNED RABBITMQ_BORN=$SPAWNED_BORN
    if ! rabbitmq_ready; then
      show_tail "$RUN/logs/$SCENE-node-$i.log"
      fail "node $i did not become ready"
      return 1
    fi
    CLUSTER_MANAGEMENT+=("$management")
  done
  RABBITMQ_PORT=${AMQP_PORTS[0]} RABBITMQ_MANAGEMENT_PORT=${CLUSTER_MANAGEMENT[0]}
}

# begin_far_machine: two network namespaces, a machine behind a router. What runs in the first one, by FAR, reaches this
# machine's 127.0.0.1 through the second one alone, which can let packets vanish in both directions, without a word to
# either side. Its own loopback address is 127.0.0.2. Nothing of this machine is changed but for an interface that ends
# with them. Returns 1 when nobody may do so here.
begin_far_machine() {
  local machine router name=fy$((BASHPID % 100000)) deadline
  ((EUID == 0)) && command -v ip >/dev/null && command -v nsenter >/dev/null || return 1
  unshare --net true 2>/dev/null || return 1
  [[ $(ip -4 address; ip -4 route) != *198.18.213.* ]] || return 1
  spawn "$SCENE-machine" KILL 1 unshare --net sleep infinity
  PID[machine]=$SPAWNED BORN_AT[machine]=$SPAWNED_BORN machine=$SPAWNED
  spawn "$SCENE-router" KILL 1 unshare --net sleep infinity
  PID[router]=$SPAWNED BORN_AT[router]=$SPAWNED_BORN router=$SPAWNED
  now_cs
  deadline=$((NOW_CS + 500))
  while [[ $(readlink "/proc/$machine/ns/net") == "$(readlink /proc/self/ns/net)" ||
    $(readlink "/proc/$router/ns/net") == "$(readlink /proc/self/ns/net)" ]]; do
    now_cs
    ((NOW_CS < deadline)) || return 1
    sleep 0.05
  done
  ip link add "${name}a" type veth peer name "${name}b" netns "$router" || return 1
  FAR=(nsenter "--net=/proc/$machine/ns/net" --) ROUTER=(nsenter "--net=/proc/$router/ns/net" --)
  # Addresses that are for tests between machines alone, and that this one does not use otherwise.
  ip address add 198.18.213.1/30 dev "${name}a" && ip link set "${name}a" up &&
    ip route add 198.18.213.4/30 via 198.18.213.2 dev "${name}a" &&
    echo 1 >"/proc/sys/net/ipv4/conf/${name}a/route_localnet" &&
    "${ROUTER[@]}" bash -c "
      set -e
      echo 1 >/proc/sys/net/ipv4/ip_forward
      echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
      echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
      ip link add far type veth peer name near netns $machine
      ip address add 198.18.213.2/30 dev ${name}b && ip link set ${name}b up
      ip address add 198.18.213.5/30 dev far && ip link set far up
      ip route add 127.0.0.1/32 via 198.18.213.1 dev ${name}b
      ip rule del pref 0 && ip rule add pref 10 lookup local" &&
    "${FAR[@]}" bash -c '
      set -e
      echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
      echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
      ip link set lo up && ip address del 127.0.0.1/8 dev lo && ip address add 127.0.0.2/32 dev lo
      ip address add 198.18.213.6/30 dev near && ip link set near up
      ip route add 127.0.0.1/32 via 198.18.213.5 dev near'
}

# cut_off PORT blackhole|unreachable: between the far machine and this one's port; packets vanish, or are refused.
cut_off() {
  local side
  for side in dport sport; do
    "${ROUTER[@]}" ip rule add pref 5 ipproto tcp "$side" "$1" "$2" || fail "$1 is not cut off"
  done
}

# reaches PORT: whether the far machine gets through to it.
reaches() { "${FAR[@]}" timeout 1 bash -c ": <>/dev/tcp/127.0.0.1/$1" 2>/dev/null; }

# heal PORT blackhole|unreachable: ends it.
heal() {
  local side
  for side in dport sport; do
    "${ROUTER[@]}" ip rule del pref 5 ipproto tcp "$side" "$1" "$2" || fail "$1 stays cut off"
  done
}

# --- The verdict -----------------------------------------------------------------------------------------------------

# settles SECONDS [VERDICT'S OPTION...]: until each order is in K/3 and nothing waits; then the judge, the ledger and the
# queues are asked.
settles() {
  local seconds=$1 deadline wanted parked open text before=-1
  shift
  # The faults are over: what waits behind them shows nothing more of them by being slow.
  k3 settings '{"latencyMilliseconds":0}'
  figure "$OKKI_URL" orders && ORDERS=$FIGURE
  figure "$OKKI_URL" expected_load && wanted=$FIGURE
  parked=$(ask "$OKKI_URL/_sim/stats" | grep -o '"expected_park":{[^}]*}' | grep -o ':[0-9]*' |
    awk -F: '{ n += $2 } END { print n + 0 }')
  parked=$((parked + PARKED))
  now_cs
  deadline=$((NOW_CS + seconds * 100))
  while :; do
    stored
    depths
    open=$(sql "select count(*) from $SCHEMA.order_ledger where state in ('writing', 'in_doubt')")
    if ((STORED >= wanted && WAITING == 0 && open == 0 && DEAD >= parked)); then break; fi
    now_cs
    if [[ $LONG == yes ]] && ((STORED > before)); then before=$STORED deadline=$((NOW_CS + seconds * 100)); fi
    if ((NOW_CS > deadline)); then
      fail "not settled after $seconds s: $STORED of $wanted bills, $WAITING messages wait, $DEAD of $parked are parked, $open rows are open"
      break
    fi
    sleep 0.2
  done
  if (($# == 0)); then set -- --without-workers; fi
  text=$("$BIN/vendorsim" verdict --okki "$OKKI_URL" --k3 "$K3_URL" --json --wait 2 "$@" 2>&1) || true
  printf '%s\n' "$text" >"$RUN/logs/$SCENE-verdict.json"
  LOST=$(difference missing "$text") DUPLICATED=$(difference duplicate "$text")
  if [[ $text != *'"holds":true'* ]]; then
    fail "the verdict does not hold: $(grep -o '"differences":{[^}]*}\|cannot judge.*' <<<"$text" | head -n 1)"
  fi
  if ((DEAD < parked || DEAD > parked + PARKED_TWICE)); then
    fail "$DEAD messages are parked, not $parked: $(reasons orders.dead bills.dead)"
  fi
}

difference() { # KIND VERDICT
  local count=0
  if [[ $2 =~ \"differences\":\{[^}]*\"$1\":([0-9]+) ]]; then count=${BASH_REMATCH[1]}; fi
  printf '%d' "$count"
}

# seconds CS: as people write them.
seconds() { if [[ -z $1 ]]; then printf -- '-'; else printf '%d.%d' $(($1 / 100)) $(($1 % 100 / 10)); fi; }

RESULTS=()        # NAME|OK|ORDERS|FAULTS|LOST|DUPLICATED|RECOVERY|SECONDS|REMARK

# revive_servers: what a scenario that was not let to its end may have left frozen or dead.
revive_servers() {
  local pids=()
  read -ra pids <"/proc/$POSTGRES_PID/task/$POSTGRES_PID/children" || true
  kill -s CONT "$RABBITMQ_PID" "$POSTGRES_PID" "${pids[@]}" || true
  alive "$RABBITMQ_PID" "$RABBITMQ_BORN" || spawn_rabbitmq
  alive "$POSTGRES_PID" "$POSTGRES_BORN" || spawn_postgres
  rabbitmq_ready || fail 'RabbitMQ does not come back'
  postgres_ready || fail 'PostgreSQL does not come back'
} 2>/dev/null

# run_scenario NAME: its line is said at its end.
run_scenario() {
  local began end verdict=ok remark first=$((SEED + SCENE_NUMBER))
  SCENE=$1 FAILURES=() INJECTED=0 RECOVERY='' PARKED=0 PARKED_TWICE=0 LOST=- DUPLICATED=- ORDERS=0 REMARK=''
  now_cs
  began=$NOW_CS
  LATE=0 SCENE_END=$((began + $(long 240 1800) * 100))
  if ! "chaos_${SCENE//-/_}" && ((${#FAILURES[@]} == 0)) && [[ -n $REMARK ]]; then verdict='not run'; fi
  end=$SCENE_END SCENE_END=0
  now_cs
  if ((NOW_CS > end)); then
    fail "was not over in $(seconds $((end - began))) s"
    RECOVERY=''
    revive_servers
  fi
  clear_scene
  now_cs
  if ((${#FAILURES[@]} > 0)); then verdict=FAILED; fi
  printf '%-27s %-7s %6s orders %4d faults  lost %s  duplicated %s  recovery %5s s  (%s s)%s\n' "$SCENE" "$verdict" \
    "$ORDERS" "$INJECTED" "$LOST" "$DUPLICATED" "$(seconds "$RECOVERY")" "$(seconds $((NOW_CS - began)))" \
    "${REMARK:+  $REMARK}"
  for remark in "${FAILURES[@]}"; do printf '  ! %s\n' "$remark"; done
  RESULTS+=("$SCENE|$verdict|$ORDERS|$INJECTED|$LOST|$DUPLICATED|$(seconds "$RECOVERY")|$(seconds $((NOW_CS - began)))|$REMARK")
  if [[ $verdict != FAILED ]]; then return 0; fi
  say "  again: deploy/chaos --seed $first $SCENE"
  mkdir -p "$CHECKOUT/.build/chaos/failed-$SCENE"
  cp "$RUN/logs/$SCENE"-* "$CHECKOUT/.build/chaos/failed-$SCENE/" 2>/dev/null || true
  return 1
}

table() {
  local row name verdict orders faults lost duplicated recovery took remark
  printf '\n| %-27s | %-7s | %6s | %6s | %4s | %10s | %10s | %6s |\n' \
    scenario result orders faults lost duplicated 'recovery s' 'took s'
  printf '|%s|\n' '---|---|---|---|---|---|---|---'
  for row in "${RESULTS[@]}"; do
    IFS='|' read -r name verdict orders faults lost duplicated recovery took remark <<<"$row"
    printf '| %-27s | %-7s | %6s | %6s | %4s | %10s | %10s | %6s | %s\n' \
      "$name" "$verdict" "$orders" "$faults" "$lost" "$duplicated" "$recovery" "$took" "$remark"
  done
}

# json FILE: the table as JSON, an object per scenario.
json() {
  local row name verdict orders faults lost duplicated recovery took remark comma=''
  {
    printf '['
    for row in "${RESULTS[@]}"; do
      IFS='|' read -r name verdict orders faults lost duplicated recovery took remark <<<"$row"
      printf '%s\n{"scenario":"%s","ok":%s,"orders":%s,"faults":%s,"lost":%s,"duplicated":%s,"recovery_seconds":%s,"seconds":%s,"remark":"%s"}' \
        "$comma" "$name" "$([[ $verdict == ok ]] && echo true || echo false)" "$orders" "$faults" \
        "${lost/#-/null}" "${duplicated/#-/null}" "${recovery/#-/null}" "$took" "$remark"
      comma=,
    done
    printf '\n]\n'
  } >"$1"
}
