#pragma once
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

// amqp_login_with_properties is variadic, which Swift cannot call.
static inline amqp_rpc_reply_t ferry_amqp_login_plain(amqp_connection_state_t state, char const *virtual_host,
                                                      int frame_max, int heartbeat_seconds,
                                                      amqp_table_t const *client_properties, char const *user,
                                                      char const *password) {
  return amqp_login_with_properties(state, virtual_host, 1, frame_max, heartbeat_seconds, client_properties,
                                    AMQP_SASL_METHOD_PLAIN, user, password);
}

// What is learnt of the broker's certificate.
typedef struct {
  // Why it was refused; X509_V_OK: it was not.
  int why;
  // When it ends, in seconds since 1970 UTC; 0: not known.
  long long end;
} ferry_amqp_found;

// The library says of a certificate only that it was refused: this notes what is found, where the context points to.
static int ferry_amqp_verified(int is_good, X509_STORE_CTX *store) {
  SSL *tls = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  ferry_amqp_found *found = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
  if (!found) return is_good;
  if (!is_good && found->why == X509_V_OK) found->why = X509_STORE_CTX_get_error(store);
  struct tm end;
  // At depth 0 is the broker's own; the authorities' come before it.
  if (X509_STORE_CTX_get_error_depth(store) == 0 &&
      ASN1_TIME_to_tm(X509_get0_notAfter(X509_STORE_CTX_get_current_cert(store)), &end) == 1)
    found->end = timegm(&end);
  return is_good;
}

// Lets OpenSSL itself hold the certificate against the host, during the handshake: the library knows names, but no
// addresses. `found` must live until ferry_amqp_forget. 0: done.
static inline int ferry_amqp_expect(amqp_socket_t *socket, char const *host, ferry_amqp_found *found) {
  SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
  X509_VERIFY_PARAM *wanted = SSL_CTX_get0_param(context);
  found->why = X509_V_OK;
  found->end = 0;
  SSL_CTX_set_app_data(context, found);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, ferry_amqp_verified);
  int is_set = X509_VERIFY_PARAM_set1_ip_asc(wanted, host);
  if (is_set != 1) {
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    is_set = X509_VERIFY_PARAM_set1_host(wanted, host, 0);
  }
  ERR_clear_error();
  return is_set == 1 ? 0 : -1;
}

static inline void ferry_amqp_forget(amqp_socket_t *socket) {
  SSL_CTX_set_app_data((SSL_CTX *)amqp_ssl_socket_get_context(socket), NULL);
}

// Why a certificate was refused; NULL when none was.
static inline char const *ferry_amqp_refusal(int why) {
  return why == X509_V_OK ? NULL : X509_verify_cert_error_string(why);
}

// This thread's last error of TLS, such as a version that one side does not speak; NULL when there is none.
static inline char const *ferry_amqp_tls_error(void) { return ERR_reason_error_string(ERR_peek_last_error()); }

// With OpenSSL's headers Swift takes struct timeval for another module's, and does not let it be made here.
static inline struct timeval ferry_amqp_seconds(long seconds) {
  struct timeval time = {seconds, 0};
  return time;
}
