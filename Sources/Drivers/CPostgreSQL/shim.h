#pragma once
#include <libpq-fe.h>

// Notices are dropped: they can hold row data.
static inline void ferry_pq_drop_notice(void *unused, const PGresult *result) { (void)unused; (void)result; }
static inline void ferry_pq_drop_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, ferry_pq_drop_notice, 0);
}
