# shellcheck shell=bash disable=SC2034,SC2153,SC2154,SC2317,SC2329  # it shares its names with chaos.sh and deploy/chaos
# Scenarios of deploy/chaos in which the program is exchanged under load, and the ledger is restored from a backup. Needs
# chaos.sh and chaos-queues.sh.

# --- Rolling upgrade -------------------------------------------------------------------------------------------------

# roll NAME [SETTING...]: SIGTERM under load, and another process in its place, which must work before the next one goes.
roll() {
  local name=$1
  shift
  okki orders '{"add":150}'
  under_load
  signal TERM "$name"
  now_cs
  DIED=$NOW_CS
  if ! await_death "$name" 13; then
    fail "$name did not end within 13 s of SIGTERM"
    kill_worker "$name"
  elif ((STATUS != 0)); then
    fail "$name ended with $STATUS after SIGTERM"
  fi
  inject
  again "$name" "$@"
  consumes_again "$name" "$DIED" 20
}

# migrates [SETTING...]: `ferry migrate` of the program that the settings make; its words are in SAID.
migrates() {
  command_line FERRY_ADMIN_PORT=0 "$@" -- migrate
  if ! SAID=$(timeout --foreground -k 5 60 "${COMMAND[@]}" 2>&1); then fail "ferry migrate $*: ${SAID:0:300}"; fi
}

chaos_rolling_upgrade() {
  local name before after next=CHAOS_NEXT_SCHEMA=1
  scene "$(long 800 4000)" || return 1
  k3 settings '{"latencyMilliseconds":100}'
  crew 2 2
  await_work 30 50 || return 1
  before=$(sql "select max(version) from $SCHEMA.schema_versions")
  # What is started anew while nothing is upgraded yet.
  roll load-1
  migrates "$next"
  after=$(sql "select max(version) from $SCHEMA.schema_versions")
  ((after == before + 1)) || fail "the schema went from version $before to $after: there was no upgrade"
  # Programs of before that are started anew beside the newer schema, as by a supervisor.
  for name in transform-1 load-2 poll; do roll "$name"; done
  migrates
  [[ $SAID == *'may work beside it'* ]] || fail "ferry migrate of the older program said: $SAID"
  for name in load-1 load-2 transform-1 transform-2 poll; do roll "$name" "$next"; done
  k3 settings '{"latencyMilliseconds":0}'
  recovers "$DIED" 25
  settles 60
  REMARK="schema $before to $after in the middle; each worker was replaced by SIGTERM, three by programs of before it"
}

# --- Restore ---------------------------------------------------------------------------------------------------------

# script NAME ARGUMENT...: one of deploy's, with the roles' settings; its words are in SAID.
script() {
  local name=$1
  shift
  if ! SAID=$(env -i "PATH=$PATH" "HOME=$RUN" LANG=C.UTF-8 "${SETTINGS[@]}" timeout --foreground -k 5 120 \
    "$CHECKOUT/deploy/$name" "$@" 2>&1); then
    fail "deploy/$name: ${SAID:0:500}"
    return 1
  fi
  printf '$ deploy/%s %s\n%s\n' "$name" "$*" "$SAID" >>"$RUN/logs/$SCENE-operator.log"
}

chaos_restore() {
  local name waiting known forgotten backup=$RUN/$SCENE-backup
  rm -rf "$backup"
  scene "$(long 600 3000)" || return 1
  # Nothing but a look-up keeps a bill from being there twice: a second one with its number gets another number.
  k3 settings '{"duplicates":"renumber","latencyMilliseconds":100}'
  crew 1 2
  await_work 30 100 || return 1
  await 10 'messages in bills' has_messages bills 5 || return 1
  waiting=$MESSAGES
  script backup "$backup" || return 1
  under_load
  # It goes on, with orders that the backup has never heard of.
  okki orders '{"add":150}'
  stored
  await_stored "$((STORED + 100))" 30 || return 1
  # Nobody comes to an end in order, and both servers lose everything: what lay in the queues is in no other place.
  for name in load-1 load-2 transform-1 poll; do kill_worker "$name"; done
  sql "drop schema $SCHEMA cascade" >/dev/null
  end_vhost
  begin_vhost || return 1
  inject 2
  script restore "$backup" "$BIN/ferry" || return 1
  known=$(sql "select count(*) from $SCHEMA.order_ledger where state = 'written'")
  stored
  forgotten=$((STORED - known))
  figure "$OKKI_URL" expected_load
  ((STORED < FIGURE)) || injected 0 'all orders of the lost queues were in K/3'
  ((forgotten > 0)) || injected 0 'K/3 has no bill that the restored ledger does not know'
  k3 settings '{"latencyMilliseconds":0}'
  for name in poll transform-1 load-1 load-2; do again "$name"; done
  now_cs
  recovers "$NOW_CS" 40
  settles 90
  known=$(sql "select count(*) from $SCHEMA.ledger_restores where ended is null")
  ((known == 1)) || fail "$known restores are open, not one"
  # All roles work.
  if SAID=$(env -i "PATH=$PATH" "HOME=$RUN" LANG=C.UTF-8 "${SETTINGS[@]}" timeout --foreground -k 5 60 \
    "$CHECKOUT/deploy/restore" "$backup" "$BIN/ferry" 2>&1) || [[ $SAID != *'still connected to the database'* ]]; then
    fail "deploy/restore while all roles work: ${SAID:0:500}"
  fi
  REMARK="$waiting messages in bills before the backup and $forgotten bills in K/3 that the restored ledger did not know"
}
