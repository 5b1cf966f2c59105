#pragma once
// The library exists for units of 8, 16 and 32 bits; texts here are UTF-8.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

// Swift does not import these as numbers of the width that the calls take.
static const uint32_t ferry_pcre2_utf = PCRE2_UTF;
static const uint32_t ferry_pcre2_ucp = PCRE2_UCP;
static const uint32_t ferry_pcre2_caseless = PCRE2_CASELESS;
