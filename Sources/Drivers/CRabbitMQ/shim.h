#pragma once
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

// amqp_login_with_properties is variadic, which Swift cannot call.
static inline amqp_rpc_reply_t ferry_amqp_login_plain(amqp_connection_state_t state, char const *virtual_host,
                                                      int frame_max, int heartbeat_seconds,
                                                      amqp_table_t const *client_properties, char const *user,
                                                      char const *password) {
  return amqp_login_with_properties(state, virtual_host, 1, frame_max, heartbeat_seconds, client_properties,
                                    AMQP_SASL_METHOD_PLAIN, user, password);
}
