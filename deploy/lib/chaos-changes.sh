# shellcheck shell=bash disable=SC2034,SC2153,SC2154,SC2317,SC2329  # it shares its names with chaos.sh and deploy/chaos
# The scenario of deploy/chaos in which orders change and are deleted while workers die and K/3 loses answers. Needs
# chaos.sh and chaos-queues.sh.

# change touch|remove FROM COUNT: so many orders of OKKI's, from that one of its book on.
change() {
  local id
  while read -r id; do
    okki orders "{\"$1\":$id}"
    if [[ $1 == remove ]]; then REMOVED=$((REMOVED + 1)); else CHANGED=$((CHANGED + 1)); fi
  done < <(ask "$OKKI_URL/_sim/orders?from=$2&count=$3" | grep -o '"id":[0-9]*' | cut -d: -f2)
}

# of_k3 ENDPOINT [TEXT]: how many requests K/3's journal has of it, in COUNT.
of_k3() { COUNT=$(grep -F "\"endpoint\":\"SO/$1\"" "$RUN/logs/$SCENE-journal" | grep -cF -- "${2:-}" || true); }

chaos_changes() {
  local point round first=0 orders CHANGED=0 REMOVED=0 updates deletes late text
  orders=$(long 240 2400)
  # Each change takes the last line off, so every revision can be told from the others.
  scene "$orders" --lines 8 || return 1
  # A second bill would be there, and a Delete may come to its end after the next request of the same bill.
  k3 settings '{"duplicates":"renumber","lateMilliseconds":1300,"latencyMilliseconds":20}'
  SETTINGS+=(FERRY_CHANGED_ORDERS=update FERRY_REMOVED_ORDERS=cancel)
  crew 1 1
  await_stored "$orders" 60 || return 1
  k3 faults '{"save_then_drop":0.1,"late_change":0.25,"drop_before_save":0.05}'
  for ((round = 0; round < $(long 1 10); round++)); do
    for point in before_update after_update before_delete after_delete; do
      change touch "$first" 25
      change remove "$((first + 25))" 5
      # Deletions are few: the other loader may have done them all before the victim has one.
      [[ $point != *_delete ]] || stop_worker load-1
      dies_at victim load "load.$point"
      [[ $point != *_delete ]] || again load-1
      # Newer revisions of what is in doubt, and of what the dead one holds; some of them are deleted at once.
      change touch "$first" 12
      again victim
      sleep 1.2
      change touch "$first" 6
      change remove "$((first + 20))" 5
      recovers "$DIED" 25
      stop_worker victim
      first=$((first + 30))
    done
    for point in removals_fetched removals_published removals_recorded removals_passed; do
      stop_worker poll
      change touch "$first" 5
      change remove "$((first + 5))" 5
      # OKKI's present second is not read yet.
      sleep 1.1
      dies_at poll poll "poll.$point"
      again poll
      change touch "$first" 3
      recovers "$DIED" 25
      first=$((first + 10))
    done
  done
  count_faults "$K3_URL" save_then_drop late_change
  k3 faults '{"profile":"off"}'
  now_cs
  recovers "$NOW_CS" 25
  settles 90 --without-workers --cancels
  # Look-ups are most of it: the journal keeps 10,000 requests.
  ask "$K3_URL/_sim/journal?last=10000" | tr '{' '\n' >"$RUN/logs/$SCENE-journal"
  of_k3 Update && updates=$COUNT
  of_k3 Delete && deletes=$COUNT
  of_k3 Update late_change && late=$COUNT
  of_k3 Delete late_change && late=$((late + COUNT))
  ((late > COUNT && COUNT > 0)) || injected 0 'no Update, or no Delete, was done late'
  text=$(<"$RUN/logs/$SCENE-verdict.json")
  REMARK="$CHANGED changes and $REMOVED deletions in OKKI, $updates Updates and $deletes Deletes at K/3, $late of them done late; "
  REMARK+="an older revision last $(($(difference outdated "$text") + $(difference overtaken "$text"))), bills left $(difference left "$text")"
}
