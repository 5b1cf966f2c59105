#pragma once
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

// Notices are dropped: they can hold row data.
static inline void ferry_pq_drop_notice(void *unused, const PGresult *result) { (void)unused; (void)result; }
static inline void ferry_pq_drop_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, ferry_pq_drop_notice, 0);
}

// The connection's TLS, as a reference of our own, since libpq frees it when a handshake fails; NULL without one.
static inline void *ferry_pq_tls(PGconn *connection) {
  SSL *tls = (SSL *)PQsslStruct(connection, "OpenSSL");
  if (tls) SSL_up_ref(tls);
  return tls;
}

// Why the server's certificate was refused, which libpq does not tell; NULL when it was not.
static inline const char *ferry_pq_tls_refusal(void *tls) {
  long why = SSL_get_verify_result((SSL *)tls);
  return why == X509_V_OK ? 0 : X509_verify_cert_error_string(why);
}

static inline void ferry_pq_tls_free(void *tls) { SSL_free((SSL *)tls); }
