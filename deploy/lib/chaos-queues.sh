# shellcheck shell=bash disable=SC2034,SC2153,SC2154,SC2317,SC2329  # it shares its names with chaos.sh and deploy/chaos
# Scenarios of deploy/chaos that take queues, bindings and consumers away from running workers, and the one of the poller's
# reconciliation. Needs chaos.sh.

: "${VHOST:=%2F}"

# on_broker METHOD PATH [CURL OPTION...]: changes something by the management interface; its word is in BROKER_SAID.
on_broker() {
  local method=$1 path=$2
  shift 2
  BROKER_SAID=$(curl_rabbitmq "$path" --request "$method" --write-out '%{http_code}' --output /dev/null "$@") || true
  [[ $BROKER_SAID == 2* ]] || fail "RabbitMQ answered $method $path with $BROKER_SAID"
}

# messages QUEUE: how many lie there, waiting or lent, in MESSAGES; -1 when the broker does not tell, or has no such queue.
# One holds up to 16 orders, or 8 bills.
messages() {
  local text
  MESSAGES=-1
  text=$(curl_rabbitmq "/api/queues/$VHOST?disable_stats=true&enable_queue_totals=true&columns=name,messages" --fail) || return 0
  text=$(tr '{' '\n' <<<"$text" | grep -F "\"name\":\"$PREFIX$1\"" || true)
  if [[ $text =~ \"messages\":([0-9]+) ]]; then MESSAGES=${BASH_REMATCH[1]}; fi
}

# told NAME TEXT: how many lines of a worker's log have it, in TOLD.
told() { TOLD=$(grep -cF -- "$2" "$RUN/logs/$SCENE-$1.log" || true); }

# await SECONDS WHAT COMMAND...: until the command says yes.
await() {
  local seconds=$1 what=$2 deadline
  shift 2
  now_cs
  deadline=$((NOW_CS + seconds * 100))
  until "$@"; do
    now_cs
    if ((NOW_CS > deadline)); then
      fail "not within $seconds s: $what"
      return 1
    fi
    sleep 0.1
  done
}

has_messages() { messages "$1"; ((MESSAGES >= $2)); }            # QUEUE COUNT
is_gone() { messages "$1"; ((MESSAGES < 0)); }                    # QUEUE
has_told() { told "$1" "$2"; ((TOLD >= $3)); }                    # NAME TEXT COUNT
waits_for_nothing() {
  depths
  ((WAITING == 0)) && [[ $(sql "select count(*) from $SCHEMA.order_ledger where state in ('writing', 'in_doubt')") == 0 ]]
}

# flows_out SECONDS: until nothing waits, twice in a row with a poll in between.
flows_out() {
  await "$1" 'nothing waits' waits_for_nothing || return 1
  sleep 2.5
  await "$1" 'nothing waits' waits_for_nothing
}

# operator ARGUMENT...: what a person does at a terminal; its words are in SAID.
operator() {
  command_line FERRY_ADMIN_PORT=0 -- "$@"
  if ! SAID=$(timeout --foreground -k 5 60 "${COMMAND[@]}" 2>&1); then fail "ferry $*: ${SAID:0:300}"; fi
  printf '$ ferry %s\n%s\n' "$*" "$SAID" >>"$RUN/logs/$SCENE-operator.log"
}

# --- A queue is deleted ----------------------------------------------------------------------------------------------

chaos_rabbitmq_queue_deleted() {
  local queue name held=0 before lost to
  scene "$(long 400 3000)" || return 1
  k3 settings '{"latencyMilliseconds":200}'
  crew 1 2
  await_work 30 50 || return 1
  for queue in $(long 'bills orders' 'bills orders bills orders'); do
    # A transformer is too fast to be met with messages before it.
    if [[ $queue == orders ]]; then signal STOP transform-1; fi
    # More than the workers have on loan, which they finish: 48 messages a loader, 32 a transformer.
    okki orders "{\"add\":$(long 1500 4000)}"
    await 20 "messages in $queue" has_messages "$queue" "$([[ $queue == bills ]] && long 110 250 || long 60 200)" || return 1
    held=$((held + MESSAGES))
    on_broker DELETE "/api/queues/$VHOST/$PREFIX$queue"
    is_gone "$queue" || fail "$queue is still there"
    inject
    if [[ $queue == orders ]]; then signal CONT transform-1; fi
    # Its consumers notice, and whoever publishes into it is told that nobody takes it: nothing counts as published.
    okki orders '{"add":20}'
    for name in $([[ $queue == bills ]] && echo load-1 load-2 || echo transform-1); do
      await 15 "$name tells that $queue is missing" has_told "$name" "no queue '$PREFIX$queue'" 1
    done
    [[ $queue == bills ]] && name=transform-1 || name=poll
    await 15 "$name tells that nothing takes its messages" has_told "$name" 'no queue takes the message (312' 1
    operator migrate
    now_cs
    recovers "$NOW_CS" 30
  done
  k3 settings '{"latencyMilliseconds":0}'
  flows_out 60 || return 1
  stored
  before=$STORED
  figure "$OKKI_URL" expected_load
  lost=$((FIGURE - before))
  # Else the queue was deleted with nothing in it that mattered, and the scenario shows nothing.
  ((lost > 0)) || fail 'no order was lost with the queues: there is nothing to bring back'
  to=$(TZ=CST-8 date '+%Y-%m-%d %H:%M:%S')
  operator backfill start --from "$(TZ=CST-8 date -d '-2 hours' '+%Y-%m-%d %H:%M:%S')" --to "$to" --again
  settles 90
  REMARK="$held messages were in the deleted queues, $lost orders with them; a backfill --again brought them back"
}

# --- A binding is away -----------------------------------------------------------------------------------------------

chaos_rabbitmq_unroutable() {
  local queue name published stays after
  scene "$(long 400 3000)" || return 1
  k3 settings '{"latencyMilliseconds":50}'
  crew 1 2
  await_work 30 50 || return 1
  for queue in bills orders; do
    [[ $queue == bills ]] && name=transform-1 || name=poll
    on_broker DELETE "/api/bindings/$VHOST/e/${PREFIX}ferry/q/$PREFIX$queue/$queue"
    inject
    okki orders '{"add":60}'
    await 20 "$name tells that nothing takes its messages" has_told "$name" 'no queue takes the message (312' 1 || return 1
    # What is in front of it may still be confirmed; then nothing is.
    published=$(sql "select count(*) from $SCHEMA.order_revisions where published")
    sleep "$(long 3 30)"
    if [[ $queue == bills ]]; then
      # None of them is acknowledged.
      messages orders
      # Sixty orders are four messages or more.
      ((MESSAGES >= 4)) || fail "$MESSAGES messages are left in orders, not 4: some were acknowledged"
      stays+="$MESSAGES messages stayed in orders"
    else
      after=$(sql "select count(*) from $SCHEMA.order_revisions where published")
      [[ $after == "$published" ]] || fail "$((after - published)) orders were recorded as published"
      after=$(sql "select count(*) from $SCHEMA.order_revisions where not published")
      ((after >= 60)) || fail "$after orders are numbered and not published, not 60"
      stays+=", $after orders stayed unpublished"
    fi
    operator migrate
    now_cs
    recovers "$NOW_CS" 30
  done
  settles 70
  REMARK=$stays
}

# --- Consumers are ended ---------------------------------------------------------------------------------------------

chaos_rabbitmq_consumer_cancelled() {
  local round queue name limit=10 longest=''
  scene "$(long 300 2000)" || return 1
  # Channels take these when they are opened.
  rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, 2000), application:set_env(rabbit, channel_tick_interval, 500).' \
    >/dev/null || fail 'RabbitMQ takes no consumer timeout'
  consumers_are_cancelled || true
  rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000).' \
    >/dev/null || fail 'RabbitMQ keeps a consumer timeout of 2 s'
}

consumers_are_cancelled() {
  crew 1 2
  await_work 30 50 || return 1
  for ((round = 1; round <= $(long 3 15); round++)); do
    # An empty queue takes no order along, and who is still away from the round before has no consumer to be ended: one that
    # got nothing in between waits longer each time.
    flows_out 60 || return 1
    for name in load-1 load-2 transform-1; do
      await 40 "$name consumes" has_told "$name" 'inbox"}' "$round"
    done
    for queue in bills orders; do
      on_broker DELETE "/api/queues/$VHOST/$PREFIX$queue"
      inject
    done
    for name in load-1 load-2 transform-1; do
      await 10 "$name tells that its consumer was ended" has_told "$name" 'the broker ended the consumer' "$round"
    done
    operator migrate
    now_cs
    recovers "$NOW_CS" "$limit"
  done
  longest=$RECOVERY RECOVERY=
  # A loader keeps messages for longer than the broker lets it.
  k3 settings '{"latencyMilliseconds":300}'
  okki orders "{\"add\":$(long 150 1000)}"
  await 20 'messages in bills' has_messages bills "$(long 10 50)" || return 1
  signal STOP load-1
  inject
  sleep "$(long 5 20)"
  signal CONT load-1
  now_cs
  await 10 'load-1 tells of the consumer timeout' has_told load-1 'delivery acknowledgement' 1
  k3 settings '{"latencyMilliseconds":0}'
  recovers "$NOW_CS" "$limit"
  settles 70
  REMARK="consuming again after (s): deleted and made anew $(seconds "$longest"), consumer timeout $(seconds "$RECOVERY")"
  if [[ -n $longest && -n $RECOVERY ]] && ((longest > RECOVERY)); then RECOVERY=$longest; fi
}

# --- Reconciliation --------------------------------------------------------------------------------------------------

# the_sweep COLUMNS CONDITION: of the newest reconciliation that fits, in SWEEP.
the_sweep() { SWEEP=$(sql "select $1 from $SCHEMA.sweeps where kind = 'reconcile' and $2 order by id desc limit 1"); }

sweep_is_done() { the_sweep id "id = $1 and state = 'done'"; [[ $SWEEP == "$1" ]]; }     # ID
sweeps_after() { the_sweep id "id > $1 and state = 'done'"; [[ -n $SWEEP && $SWEEP != -1 ]]; } # ID

# touch_silently COUNT FIRST: orders get another content, and keep their update_time.
touch_silently() {
  local id
  ask "$OKKI_URL/_sim/orders?from=$2&count=$1" | grep -o '"id":[0-9]*' | cut -d: -f2 >"$RUN/touched"
  while read -r id; do
    okki orders "{\"touch_silently\":$id}"
    SILENT=$((SILENT + 1))
  done <"$RUN/touched"
}

chaos_reconcile() {
  local point round SILENT=0 orders first id next read from windows
  orders=$(long 200 2000)
  scene "$orders" || return 1
  SETTINGS+=(FERRY_RECONCILE_INTERVAL_SECONDS=1 FERRY_POLL_PAGE_SIZE=20 FERRY_CHANGED_ORDERS=update)
  worker load-1 load
  worker transform-1 transform
  worker victim poll
  await_stored "$orders" 60 || return 1
  await 30 'a reconciliation is done' sweeps_after 0
  stop_worker victim
  for ((round = 0; round < $(long 1 5); round++)); do
    for point in sweep_fetched sweep_published sweep_moved; do
      # In every slice, so that there is something to publish wherever the poller dies.
      for ((first = round; first < orders; first += 10)); do touch_silently 2 "$first"; done
      the_sweep 'coalesce(max(id), 0)' true
      id=$SWEEP
      worker victim poll "CHAOS_FAULT=after:poll.$point:3"
      if ! await_death victim 40 || ((STATUS != 137)); then
        fail "poll.$point was not reached three times"
        kill_worker victim
        continue
      fi
      inject
      # In its midst: from where it is it must go on.
      the_sweep "id || ' ' || from_at || ' ' || next_at" "state = 'running' and next_at between from_at + 1 and to_at"
      read -r id from next <<<"$SWEEP"
      if [[ -z $next ]]; then
        fail "no reconciliation was under way when the poller died at poll.$point"
        continue
      fi
      again victim
      await 40 "reconciliation $id is done" sweep_is_done "$id"
      the_sweep orders_read "id = $id"
      read=$SWEEP
      # Read from its beginning again, it would count the first slices twice.
      [[ $read == "$orders" ]] || fail "reconciliation $id read $read orders of $orders: it did not go on where it was ($next of $from)"
      # One more, so that what was changed behind a slice is found too.
      await 40 'another reconciliation is done' sweeps_after "$id"
      stop_worker victim
    done
  done
  again victim
  now_cs
  recovers "$NOW_CS" 25
  settles 60
  grep -q '"outdated":0' "$RUN/logs/$SCENE-verdict.json" || fail "bills are not as their orders: $(grep -o '"outdated":[0-9]*' "$RUN/logs/$SCENE-verdict.json")"
  windows=$(sql "select count(*) - count(distinct to_at) from $SCHEMA.sweeps where kind = 'reconcile'")
  [[ $windows == 0 ]] || fail "$windows reconciliations were begun anew"
  REMARK="$SILENT silent changes; each sweep went on where the poller died"
}
