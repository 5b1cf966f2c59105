#pragma once
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

// Swift cannot call variadic C functions. One wrapper for each kind of argument.

static inline CURLcode ferry_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_get_socket(CURL *easy, curl_socket_t *value) {
  return curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, value);
}
static inline CURLcode ferry_curl_get_string(CURL *easy, CURLINFO info, char **value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode ferry_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

// Where a context of OpenSSL points to what is noted of it; of each thread its own, since making one takes no lock.
static inline int ferry_curl_place(void) {
  static _Thread_local int place = -1;
  if (place < 0) place = SSL_CTX_get_ex_new_index(0, 0, 0, 0, 0);
  return place;
}
static void ferry_curl_note(const SSL *tls, int where, int unused) {
  (void)unused;
  if (!(where & SSL_CB_HANDSHAKE_DONE)) return;
  long long *noted = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), ferry_curl_place());
  X509 *certificate = SSL_get1_peer_certificate(tls);
  struct tm end;
  if (noted && certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) *noted = timegm(&end);
  X509_free(certificate);
}
static CURLcode ferry_curl_note_in(CURL *unused, void *context, void *noted) {
  (void)unused;
  if (SSL_CTX_set_ex_data(context, ferry_curl_place(), noted) == 1) SSL_CTX_set_info_callback(context, ferry_curl_note);
  return CURLE_OK;
}
// From now on each handshake of the handle notes when the server's certificate ends, in seconds since 1970 UTC. `noted` must
// live as long as the handle's connections. Without effect where libcurl has another library for TLS.
static inline CURLcode ferry_curl_note_certificates(CURL *easy, long long *noted) {
  const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;
  if (!library || strncmp(library, "OpenSSL/", 8) != 0) return CURLE_OK;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, noted);
  return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, ferry_curl_note_in);
}

// Takes the next finished transfer; 0 when there is none.
static inline int ferry_curl_multi_next_done(CURLM *multi, CURL **easy, CURLcode *code) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
    if (message->msg == CURLMSG_DONE) {
      *easy = message->easy_handle;
      *code = message->data.result;
      return 1;
    }
  return 0;
}
static inline CURLMcode ferry_curl_multi_watch_sockets(CURLM *multi, curl_socket_callback callback, void *me) {
  CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, me);
  return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}
static inline CURLMcode ferry_curl_multi_watch_time(CURLM *multi, curl_multi_timer_callback callback, void *me) {
  CURLMcode code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, me);
  return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}

static inline CURLSHcode ferry_curl_share(CURLSH *share, curl_lock_data what) {
  return curl_share_setopt(share, CURLSHOPT_SHARE, what);
}

// What is not part of Swift's Glibc module, or takes structures that are not.

// A descriptor that is ready, and for what: CURL_CSELECT_IN and _OUT; _ERR: it has ended or failed.
typedef struct {
  int descriptor;
  int bits;
} ferry_ready;

static inline int ferry_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Watches a descriptor for these events, whether or not it was watched before. 0: done.
static inline int ferry_epoll_set(int epoll, int descriptor, uint32_t events) {
  struct epoll_event event = {0};
  event.events = events;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0) return 0;
  return errno == EEXIST ? epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) : -1;
}
// As CURL_POLL_IN, _OUT or _INOUT says, for as long as it is ready.
static inline int ferry_epoll_want(int epoll, int descriptor, int what) {
  return ferry_epoll_set(
      epoll, descriptor, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
}
// Everything, each time it becomes ready.
static inline int ferry_epoll_edges(int epoll, int descriptor) {
  return ferry_epoll_set(epoll, descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}
// Each signal is told once, so that nobody has to read it off.
static inline int ferry_epoll_add_signal(int epoll, int descriptor) {
  return ferry_epoll_set(epoll, descriptor, EPOLLIN | EPOLLET);
}
static inline void ferry_epoll_forget(int epoll, int descriptor) {
  struct epoll_event unused = {0};
  epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &unused);
}
// How many are ready, at most `most` and 64; below 0: an error, such as a signal.
static inline int ferry_epoll_wait(int epoll, ferry_ready *ready, int most, int milliseconds) {
  struct epoll_event events[64];
  int count = epoll_wait(epoll, events, most < 64 ? most : 64, milliseconds);
  for (int i = 0; i < count; i++) {
    ready[i].descriptor = events[i].data.fd;
    ready[i].bits = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_ERR : 0);
  }
  return count;
}

// A second descriptor of the same socket; below 0: none is left.
static inline int ferry_duplicate(int socket) { return fcntl(socket, F_DUPFD_CLOEXEC, 3); }

// Sends two buffers as one, as far as the socket takes them. Below 0: an errno, negative.
static inline ssize_t ferry_send(int socket, const void *one, size_t one_size, const void *two, size_t two_size) {
  struct iovec parts[2] = {{(void *)one, one_size}, {(void *)two, two_size}};
  struct msghdr message = {0};
  message.msg_iov = one_size ? parts : parts + 1;
  message.msg_iovlen = (one_size != 0) + (two_size != 0);
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}
// Receives what is there; 0: the peer has ended. Below 0: an errno, negative.
static inline ssize_t ferry_receive(int socket, void *room, size_t size, int flags) {
  ssize_t count;
  do count = recv(socket, room, size, MSG_DONTWAIT | flags);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}
