#pragma once
#include <libpq-fe.h>
#include <sys/eventfd.h>

// <sys/eventfd.h> is not part of Swift's Glibc module.
static inline int ferry_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// Notices are dropped: they can hold row data.
static inline void ferry_pq_drop_notice(void *unused, const PGresult *result) { (void)unused; (void)result; }
static inline void ferry_pq_drop_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, ferry_pq_drop_notice, 0);
}
