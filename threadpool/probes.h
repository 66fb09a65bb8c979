/* SPDX-License-Identifier: MIT */
/*
 * Probes for tracers (perf, bpftrace, SystemTap): where <sys/sdt.h> was there at
 * build time each is a nop and a note that tells where it is and what its arguments
 * are; else nothing.  The arguments are evaluated even if nobody traces, so they
 * are to cost nothing.  docs/observability.md has the list.
 */
#ifndef UAIO_PROBES_H
#define UAIO_PROBES_H

#ifdef UAIO_HAVE_SDT
# include <sys/sdt.h>
# define PROBE1(name, a) DTRACE_PROBE1(uaio, name, a)
# define PROBE2(name, a, b) DTRACE_PROBE2(uaio, name, a, b)
# define PROBE3(name, a, b, c) DTRACE_PROBE3(uaio, name, a, b, c)
# define PROBE4(name, a, b, c, d) DTRACE_PROBE4(uaio, name, a, b, c, d)
#else
# define PROBE1(name, a) ((void)(a))
# define PROBE2(name, a, b) ((void)(a), (void)(b))
# define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
# define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
