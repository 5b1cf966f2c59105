#pragma once
#include <curl/curl.h>
#include <sys/epoll.h>

// Swift cannot call variadic C functions. One wrapper for each kind of argument.

static inline CURLcode ferry_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}
// WRITEFUNCTION and HEADERFUNCTION.
static inline CURLcode ferry_curl_set_write(CURL *easy, CURLoption option, curl_write_callback value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ferry_curl_set_read(CURL *easy, curl_read_callback value) {
  return curl_easy_setopt(easy, CURLOPT_READFUNCTION, value);
}
static inline CURLcode ferry_curl_set_seek(CURL *easy, curl_seek_callback value) {
  return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}
static inline CURLcode ferry_curl_set_prereq(CURL *easy, curl_prereq_callback value) {
  return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
}
static inline CURLcode ferry_curl_set_sockopt(CURL *easy, curl_sockopt_callback value) {
  return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, value);
}
static inline CURLcode ferry_curl_get_long(CURL *easy, CURLINFO info, long *value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode ferry_curl_get_string(CURL *easy, CURLINFO info, char **value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode ferry_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
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

// <sys/epoll.h> is not part of Swift's Glibc module.

// A descriptor that is ready, and for what: CURL_CSELECT_IN and _OUT; neither: something is wrong with it.
typedef struct {
  int descriptor;
  int bits;
} ferry_ready;

static inline int ferry_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Waits for a descriptor as CURL_POLL_IN, _OUT or _INOUT says, whether or not it was waited for before. 0: done.
static inline int ferry_epoll_want(int epoll, int descriptor, int what) {
  struct epoll_event event = {0};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0) return 0;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}
// Each signal is told once, so that nobody has to read it off.
static inline int ferry_epoll_add_signal(int epoll, int descriptor) {
  struct epoll_event event = {0};
  event.events = EPOLLIN | EPOLLET;
  event.data.fd = descriptor;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
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
    ready[i].bits = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
  }
  return count;
}
