#pragma once
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <time.h>

// Notices are dropped: they can hold row data.
static inline void ferry_pq_drop_notice(void *unused, const PGresult *result) { (void)unused; (void)result; }
static inline void ferry_pq_drop_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, ferry_pq_drop_notice, 0);
}

// Why a server's certificate was refused, which libpq does not tell: it frees the TLS of a failed handshake, often within the
// call in which that fails. So what the check found is noted when OpenSSL frees a session, for the thread that does.
static _Thread_local long ferry_pq_found = X509_V_OK;
static void ferry_pq_note(void *tls, void *data, CRYPTO_EX_DATA *all, int index, long number, void *pointer) {
  (void)data; (void)all; (void)index; (void)number; (void)pointer;
  ferry_pq_found = SSL_get_verify_result((SSL *)tls);
}

// Done once in a process, before the first connection. False when OpenSSL has no room for it: no reason is told then.
static inline int ferry_pq_note_refusals(void) {
  return CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, 0, 0, 0, ferry_pq_note) >= 0;
}

// Before an attempt to connect: nothing is found yet.
static inline void ferry_pq_forget_refusal(void) { ferry_pq_found = X509_V_OK; }

// What was wrong with the certificate that this thread refused last; NULL when none was.
static inline const char *ferry_pq_refusal(void) {
  return ferry_pq_found == X509_V_OK ? 0 : X509_verify_cert_error_string(ferry_pq_found);
}

// The end of validity of the certificate that the server has shown, in seconds since 1970 UTC; 0 in the clear.
static inline long long ferry_pq_certificate_end(PGconn *connection) {
  SSL *tls = (SSL *)PQsslStruct(connection, "OpenSSL");
  X509 *certificate = tls ? SSL_get1_peer_certificate(tls) : 0;
  struct tm end;
  long long seconds =
      certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? (long long)timegm(&end) : 0;
  X509_free(certificate);
  return seconds;
}
