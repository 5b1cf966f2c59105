#pragma once
#include <zlib.h>

// inflateInit2 is a macro. 15: the largest window; 16: gzip alone, with its checksum.
static inline int ferry_gunzip_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
