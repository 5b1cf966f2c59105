#!/bin/bash
# In the container of PostgreSQL, for a new volume alone: makes the user of postgres-url the owner of the database, and no more
# than that. The image runs it, or reads it into its own script.
ferry_login() {
  local url login
  url=$(</run/secrets/postgres-url)
  login=${url#*://}
  login=${login%@*}
  # As a URL has it, with % before what it must escape.
  FERRY_USER=$(printf '%b' "${login%%:*}") FERRY_PASSWORD=$(p=${login#*:} && printf '%b' "${p//%/\\x}") \
    psql -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\getenv name FERRY_USER
\getenv password FERRY_PASSWORD
\getenv database POSTGRES_DB
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
ALTER DATABASE :"database" OWNER TO :"name";
SQL
}
ferry_login
