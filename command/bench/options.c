/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char *const help =
    "usage: uaio bench [OPTION]...\n"
    "Do the same I/O by each of several ways, by turns, and compare them.\n"
    "\n"
    "  --media LIST       cached, cold (not in the page cache), direct (O_DIRECT), sockets\n"
    "  --io LIST          read, write, mixed (half and half)\n"
    "  --order LIST       random, sequential\n"
    "  --block LIST       bytes of a request, 512 to 1m (4k)\n"
    "  --depth LIST       requests in flight, 1 to 1m (1,32)\n"
    "  --threads LIST     threads that submit, 1 to 64 (1)\n"
    "  --files N          files that the requests are spread over, 1 to 64 (1)\n"
    "  --contenders LIST  of libc, uaio, kernel, uaio-linux, io_uring, blocking (all)\n"
    "  --rounds N         of each contender (5)\n"
    "  --seconds S        of each round, also 0.1 (0.5)\n"
    "  --size BYTES       of the files together (256m)\n"
    "  --directory DIR    where they are made, and removed again (.)\n"
    "  --seed N           of the order of the blocks (1)\n"
    "  --no-trace         do not count system calls (that needs ptrace)\n"
    "  --json FILE        write all figures to FILE; with -, the table goes to stderr\n"
    "  --html FILE        write a report with plots to FILE\n"
    "  --svg DIR          write the plots to files in DIR, made if need be\n"
    "  --quiet            no progress line\n"
    "  --list             the works that these options come to, and no more\n"
    "  -h, --help         this text\n"
    "\n"
    "LIST is of words with commas between, and the works are all combinations.  With\n"
    "none of media, io, order, block and depth: a choice of a dozen that takes some\n"
    "minutes.  Figures may end in k, m or g (powers of 1024).\n"
    "\n"
    "Who is compared: libc's POSIX AIO and uaio's, the kernel's native AIO and uaio's,\n"
    "io_uring, and 'blocking': as many threads as there are requests in flight, 64 at\n"
    "most, that read and write and do nothing else.  Each round of each is a process of\n"
    "its own, in another order each time; medians count.  Every 64th block that is read\n"
    "is checked.  What cannot be measured here is told with the reason.  Settings\n"
    "(UAIO_...) in the environment do not count: uaio is measured as it is without.\n"
    "\n"
    "Sockets: each request has one of its own, and its read waits there until a process\n"
    "at the other end has been asked, and answers.  Answers come in the order of asking,\n"
    "and no faster than one process writes them.  They are not written to, and have no\n"
    "order.  What thousands of them cost file I/O is measured by uaio-pending-sockets.\n"
    "\n"
    "A round lasts until all requests have been in flight, if that takes longer than\n"
    "its seconds; which depth was reached is told if it is another.  libc may not end at\n"
    "1m: it is given a minute.\n"
    "\n"
    "In the table times are microseconds: of submitting ('sub'), and until the result is\n"
    "in hand; percentiles.  CPU time, system calls and context switches are for each\n"
    "operation; threads and memory, beside buffers and control blocks, at most.\n"
    "\n"
    "Examples:\n"
    "  uaio bench --media cached --depth 1,32,1k --html report.html\n"
    "  uaio bench --media direct --io read,write --directory /srv/db --json -\n"
    "  uaio bench --media cached,direct --depth 1,4,16,64,256 --svg plots\n"
    "\n"
    "Exit status: 0 measured, 1 wrong data was read, a request failed, or a file could\n"
    "not be made, 2 bad options.\n";

static bool complain(const char *option, const char *text, const char *wanted)
{
    fprintf(stderr, "uaio bench: --%s %s: %s\n", option, text, wanted);
    return false;
}

/* ---- parsing ---------------------------------------------------------------------- */

static bool parse_number(const char *option, const char *text, uint64_t least, uint64_t most,
                         uint64_t *value)
{
    static const char suffixes[] = "kmg";
    char *end, wanted[96];
    const char *suffix;

    snprintf(wanted, sizeof wanted, "a number from %llu to %llu is wanted",
             (unsigned long long)least, (unsigned long long)most);
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (end == text || errno || *text == '-')
        return complain(option, text, wanted);
    suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;
    if (suffix && *value <= UINT64_MAX >> 30) {
        *value <<= 10 * (suffix - suffixes + 1);
        end++;
    }
    if (*end || *value < least || *value > most)
        return complain(option, text, wanted);
    return true;
}

static bool parse_word(const char *option, const char *text, const char *const words[],
                       uint64_t *value)
{
    char wanted[160] = "one of";

    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i;
            return true;
        }
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), " %s", words[i]);
    }
    return complain(option, text, wanted);
}

/* Words if there are some, else numbers between the bounds. */
static bool parse_list(struct list *list, const char *option, const char *text,
                       const char *const words[], uint64_t least, uint64_t most)
{
    char copy[256], *rest = NULL;

    if (strlen(text) >= sizeof copy)
        return complain(option, text, "too long");
    strcpy(copy, text);
    list->n = 0;
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        uint64_t *value = &list->value[list->n];
        if (list->n == MAX_LIST)
            return complain(option, text, "too many");
        if (words ? !parse_word(option, item, words, value)
                  : !parse_number(option, item, least, most, value))
            return false;
        list->n++;
    }
    return list->n > 0 || complain(option, text, "nothing in it");
}

static bool parse_block(struct list *list, const char *text)
{
    if (!parse_list(list, "block", text, NULL, SECTOR, 1 << 20))
        return false;
    for (unsigned i = 0; i < list->n; i++)
        if (list->value[i] & (list->value[i] - 1))
            return complain("block", text, "powers of two are wanted");
    return true;
}

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    if (end == text || *end || !(*seconds >= 0.01 && *seconds <= 3600))
        return complain("seconds", text, "a number from 0.01 to 3600 is wanted");
    return true;
}

static bool parse_contenders(struct options *options, const char *text)
{
    const char *names[MAX_CONTENDERS + 1] = {NULL};
    struct list list;

    for (unsigned i = 0; i < n_contenders; i++)
        names[i] = contenders[i]->name;
    if (!parse_list(&list, "contenders", text, names, 0, 0))
        return false;
    memset(options->wanted, 0, sizeof options->wanted);
    for (unsigned i = 0; i < list.n; i++)
        options->wanted[list.value[i]] = true;
    return true;
}

enum {
    MEDIA = 256,
    IO,
    ORDER,
    BLOCK,
    DEPTH,
    THREADS,
    FILES,
    CONTENDERS,
    ROUNDS,
    SECONDS,
    SIZE,
    DIRECTORY,
    SEED,
    NO_TRACE,
    JSON,
    HTML,
    SVG,
    QUIET,
    LIST
};

static const struct option names[] = {
    {"media", 1, NULL, MEDIA},   {"io", 1, NULL, IO},
    {"order", 1, NULL, ORDER},   {"block", 1, NULL, BLOCK},
    {"depth", 1, NULL, DEPTH},   {"threads", 1, NULL, THREADS},
    {"files", 1, NULL, FILES},   {"contenders", 1, NULL, CONTENDERS},
    {"rounds", 1, NULL, ROUNDS}, {"seconds", 1, NULL, SECONDS},
    {"size", 1, NULL, SIZE},     {"directory", 1, NULL, DIRECTORY},
    {"seed", 1, NULL, SEED},     {"no-trace", 0, NULL, NO_TRACE},
    {"json", 1, NULL, JSON},     {"html", 1, NULL, HTML},
    {"svg", 1, NULL, SVG},       {"quiet", 0, NULL, QUIET},
    {"list", 0, NULL, LIST},     {"help", 0, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_work(struct lists *lists, int option, const char *text)
{
    switch (option) {
    case MEDIA:
        return parse_list(&lists->media, "media", text, media_words, 0, 0);
    case IO:
        return parse_list(&lists->io, "io", text, io_words, 0, 0);
    case ORDER:
        return parse_list(&lists->order, "order", text, order_words, 0, 0);
    case BLOCK:
        return parse_block(&lists->block, text);
    case DEPTH:
        return parse_list(&lists->depth, "depth", text, NULL, 1, 1 << 20);
    default:
        return parse_list(&lists->threads, "threads", text, NULL, 1, 64);
    }
}

static bool parse_setting(struct options *options, int option, const char *text)
{
    uint64_t n = 0;
    bool good = true;

    switch (option) {
    case FILES:
        good = parse_number("files", text, 1, MAX_FILES, &n);
        options->files = (unsigned)n;
        return good;
    case ROUNDS:
        good = parse_number("rounds", text, 1, 1000, &n);
        options->rounds = (unsigned)n;
        return good;
    case SIZE:
        good = parse_number("size", text, 1 << 20, UINT64_C(1) << 44, &n);
        options->bytes = (size_t)n;
        return good;
    case SEED:
        return parse_number("seed", text, 0, UINT64_MAX, &options->seed);
    case SECONDS:
        return parse_seconds(text, &options->seconds);
    case CONTENDERS:
        return parse_contenders(options, text);
    case DIRECTORY:
        options->directory = text;
        return true;
    case JSON:
        options->json = text;
        return true;
    case HTML:
        options->html = text;
        return true;
    case SVG:
        options->svg = text;
        return true;
    case NO_TRACE:
        options->trace = false;
        return true;
    case QUIET:
        options->quiet = true;
        return true;
    default:
        return false;
    }
}

/* ---- all of them ----------------------------------------------------------------------- */

static void list_works(const struct options *options)
{
    char name[128];

    for (unsigned i = 0; i < options->n_works; i++) {
        work__name(&options->works[i], name, sizeof name);
        puts(name);
    }
}

/* As a shell would take it. */
static char *join(int argc, char **argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./,=+:@%-";
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return NULL;
    fputs("uaio", to);
    for (int i = 0; i < argc; i++) {
        bool quoted = !argv[i][0] || argv[i][strspn(argv[i], plain)];
        fputs(quoted ? " '" : " ", to);
        for (const char *c = argv[i]; *c; c++)
            fputs(*c == '\'' ? "'\\''" : (const char[]){*c, '\0'}, to);
        fputs(quoted ? "'" : "", to);
    }
    fclose(to);
    return text;
}

bool options__parse(struct options *options, int argc, char **argv, int *status)
{
    struct lists lists = {0};
    bool list = false;
    int option;

    *options = (struct options){.rounds = 5,
                                .files = 1,
                                .seconds = 0.5,
                                .bytes = 256u << 20,
                                .seed = 1,
                                .directory = ".",
                                .trace = true};
    memset(options->wanted, 1, sizeof options->wanted);
    *status = 2;
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = 0;
            return false;
        }
        if (option == '?') {
            fputs("'uaio bench --help' lists the options\n", stderr);
            return false;
        }
        if (option == LIST)
            list = true;
        else if (option <= THREADS ? !parse_work(&lists, option, optarg)
                                   : !parse_setting(options, option, optarg))
            return false;
    }
    if (optind < argc) {
        fprintf(stderr, "uaio bench: '%s' is no option; 'uaio bench --help' lists them\n",
                argv[optind]);
        return false;
    }
    if (!works__combine(options, &lists))
        return false;
    options->command = join(argc, argv);
    if (list) {
        list_works(options);
        *status = 0;
    }
    return !list;
}
