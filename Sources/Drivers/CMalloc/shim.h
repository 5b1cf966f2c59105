#pragma once
#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

// <link.h> shows dl_iterate_phdr under _GNU_SOURCE alone, which Swift does not set.

/// A program or library as it is loaded: the first members of glibc's struct dl_phdr_info.
struct loaded_object {
  ElfW(Addr) address;
  const char *name;
  const ElfW(Phdr) *headers;
  ElfW(Half) header_count;
};

/// Calls `visit` for each, until it answers other than 0.
int each_loaded_object(int (*visit)(struct loaded_object *, size_t, void *), void *context) __asm__("dl_iterate_phdr");

// <sys/eventfd.h> is not part of Swift's Glibc module.
static inline int ferry_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
