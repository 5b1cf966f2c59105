# shellcheck shell=bash  # sourced by deploy/backup and deploy/restore
# What deploy/backup and deploy/restore share: Ferry's settings, and its two servers as PostgreSQL's own tools and curl
# want them. No password comes into a command line, where `ps` would show it.

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# setting NAME: its value, or that of the file that NAME_FILE names.
setting() {
  local file=${1}_FILE
  if [[ -n ${!1:-} ]]; then
    printf '%s' "${!1}"
  elif [[ -n ${!file:-} ]]; then
    tr -d '\n\r' <"${!file}" || die "$file cannot be read"
  else
    die "$1 (or $file) is not set"
  fi
}

# decoded TEXT: without percent signs.
decoded() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

# split_address URL: without user and password in PLACE, and those in LOGIN as they stand there, percent-encoded.
split_address() {
  local rest=${1#*://} authority
  authority=${rest%%[/?]*}
  LOGIN=
  if [[ $authority == *@* ]]; then LOGIN=${authority%@*}; fi
  PLACE=${1%%://*}://${authority##*@}${rest#"$authority"}
}

# use_postgres: the address without its password in DATABASE; the password and the authorities for libpq's tools.
use_postgres() {
  local url
  url=$(setting FERRY_POSTGRES_URL)
  split_address "$url"
  [[ $PLACE != *[?\&]password=* ]] || die 'FERRY_POSTGRES_URL: the password must stand before the @'
  DATABASE=${PLACE/:\/\//:\/\/${LOGIN%%:*}${LOGIN:+@}}
  if [[ $LOGIN == *:* ]]; then
    PGPASSWORD=$(decoded "${LOGIN#*:}")
    export PGPASSWORD
  fi
  if [[ $PLACE == *sslmode=verify-* && $PLACE != *sslrootcert=* ]]; then
    local public=/etc/ssl/certs/ca-certificates.crt
    export PGSSLROOTCERT=${PGSSLROOTCERT:-${FERRY_CA_FILE:-$public}}
    # With public authorities it would believe whoever has any certificate.
    [[ $PLACE != *sslmode=verify-ca* || $PGSSLROOTCERT != "$public" ]] \
      || die 'FERRY_POSTGRES_URL: sslmode=verify-ca without an authority of its own: use verify-full, or name one (sslrootcert)'
  fi
  export PGCONNECT_TIMEOUT=10
  SCHEMA=${FERRY_POSTGRES_SCHEMA:-ferry}
  [[ $SCHEMA =~ ^[a-z_][a-z0-9_]*$ ]] || die 'FERRY_POSTGRES_SCHEMA is not the name of a schema'
}

# tool NAME: PostgreSQL's program, of the newest version that is installed. An older pg_dump refuses a newer server.
tool() {
  local newest
  newest=$(find /usr/lib/postgresql/*/bin -name "$1" 2>/dev/null | sort -V | tail -n 1)
  newest=${newest:-$(command -v "$1" || true)}
  [[ -n $newest ]] || die "$1 is not there: install PostgreSQL's client programs"
  printf '%s' "$newest"
}

# in_database STATEMENT: its result.
in_database() { "$(tool psql)" --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 -d "$DATABASE" -c "$1"; }

# ask_management PATH: what RabbitMQ's management answers.
ask_management() {
  local url login
  url=$(setting FERRY_RABBITMQ_MANAGEMENT_URL)
  split_address "$url"
  login=$LOGIN
  url=${PLACE%/}
  if [[ -z $login ]]; then
    split_address "$(setting FERRY_RABBITMQ_URL)"
    login=$LOGIN
  fi
  login=$(decoded "${login:-guest:guest}")
  login=${login//\\/\\\\}
  printf 'user = "%s"\n' "${login//\"/\\\"}" | curl --silent --show-error --fail --max-time 60 --noproxy '*' \
    --cacert "${FERRY_CA_FILE:-/etc/ssl/certs/ca-certificates.crt}" --tlsv1.2 -K - "$url/api/$1"
}

# virtual_host: as it stands in addresses.
virtual_host() {
  local place
  split_address "$(setting FERRY_RABBITMQ_URL)"
  place=${PLACE#*://}
  place=${place#*/}
  [[ $PLACE == *://*/?* ]] || place=%2F
  printf '%s' "$place"
}
