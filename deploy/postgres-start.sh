#!/bin/bash
# The command of PostgreSQL's container. In a new volume the image makes its own superuser and the database; this has it make
# Ferry's user beside it, that of postgres-url, who owns the database and may nothing more, and takes the superuser's password
# away, so that it can be used in the container alone. A volume that is there stays as it is.
set -euo pipefail

url=$(cat /run/secrets/postgres-url)
if [[ ! $url =~ ^postgres(ql)?://([^:@/?]+):([^:@/?]+)@ ]] || [[ ${BASH_REMATCH[2]} == postgres ]]; then
  echo 'postgres: the secret postgres-url is not postgresql://USER:PASSWORD@HOST/DATABASE with a user of its own' >&2
  exit 1
fi

# decoded TEXT: without percent signs.
decoded() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}
DATABASE_OWNER=$(decoded "${BASH_REMATCH[2]}")
# For the health check.
printf '%s' "$DATABASE_OWNER" >/tmp/owner
# The image wants one.
POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export POSTGRES_PASSWORD
if [[ -s $PGDATA/PG_VERSION ]]; then exec docker-entrypoint.sh postgres; fi

DATABASE_OWNER_PASSWORD=$(decoded "${BASH_REMATCH[3]}")
export DATABASE_OWNER DATABASE_OWNER_PASSWORD

# Written here rather than mounted: the image's user reads it, who may not be let in where root is.
cat >/docker-entrypoint-initdb.d/owner.sql <<'SQL'
\getenv name DATABASE_OWNER
\getenv password DATABASE_OWNER_PASSWORD
\getenv database POSTGRES_DB
-- A statement that fails is logged, and there are passwords in these.
SET log_min_error_statement = panic;
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
ALTER DATABASE :"database" OWNER TO :"name";
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
chmod 644 /docker-entrypoint-initdb.d/owner.sql
exec docker-entrypoint.sh postgres
