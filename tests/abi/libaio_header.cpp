// SPDX-License-Identifier: MIT
// libaio_header.c is C++, too.
#include "libaio_header.c" // NOLINT(bugprone-suspicious-include)
