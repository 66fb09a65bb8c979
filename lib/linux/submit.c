/* SPDX-License-Identifier: MIT */
/* io_submit(): one iocb, in the kernel's order of checks. */
#define _GNU_SOURCE
#include "context.h"
#include "engine.h"
#include "iocb.h"
#include "pin.h"
#include "waiting.h"
#include "ring.h"
#include "submit.h"
#include "os/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What came of one iocb. */
struct outcome {
    struct request *request;  /* it is queued, or */
    struct linux_event event; /* it is over */
};

/* ---- the engine's hooks ------------------------------------------------------ */

/* What the kernel's own AIO could do nothing with; the rest, -errno. */
static int check_type(const struct operation *op, mode_t type)
{
    struct iovec none = {NULL, 0};
    bool file = S_ISREG(type) || S_ISBLK(type);

    if (file)
        return op->kind == OPERATION_POLL ? -EINVAL : 0; /* it was not ready, and never will be */
    if (operation__is_sync(op))
        return !S_ISDIR(type) && fsync(op->fd) != 0 && errno == EINVAL ? -EINVAL : 0;
    if (S_ISDIR(type))
        return -EINVAL;
    if (type == 0 && op->kind == OPERATION_READ && readv(op->fd, &none, 1) != 0)
        return -EINVAL;
    return type == 0 && op->kind == OPERATION_WRITE ? -EINVAL : 0; /* an eventfd, too */
}

/* ---- writes that are to survive the process ---------------------------------- */

static atomic_uint writes;  /* atomic: to files, in flight */
static atomic_bool leaving; /* atomic: somebody waits for them */
static struct event no_writes;

static bool is_file_write(const struct operation *op, mode_t type)
{
    return op->kind == OPERATION_WRITE && (S_ISREG(type) || S_ISBLK(type));
}

static void write_over(const struct completion *completion)
{
    if (!completion->file_write)
        return;
    /* seq_cst: pairs with submit__finish_writes(). */
    if (atomic_fetch_sub_explicit(&writes, 1, memory_order_seq_cst) == 1 &&
        atomic_load_explicit(&leaving, memory_order_seq_cst))
        uaio__event_signal(&no_writes);
}

void submit__finish_writes(void)
{
    int cancel;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    atomic_store_explicit(&leaving, true, memory_order_seq_cst);
    for (;;) {
        unsigned sequence = uaio__event_sequence(&no_writes);
        if (atomic_load_explicit(&writes, memory_order_seq_cst) == 0)
            break;
        uaio__event_wait(&no_writes, sequence, EVENT_FOREVER);
    }
    pthread_setcancelstate(cancel, &(int){0});
}

void submit__reset(void)
{
    atomic_store_explicit(&writes, 0, memory_order_relaxed);
    uaio__event_reset(&no_writes);
}

/* ---- pinning ------------------------------------------------------------------- */

/* Would the kernel's AIO wait for nothing but a disk in io_submit()? */
static bool is_prompt(const struct operation *op, const struct completion *completion, mode_t type)
{
    return op->kind <= OPERATION_WRITE && (S_ISREG(type) || S_ISBLK(type)) &&
           !(completion->status & O_DIRECT);
}

static int pin_resfd(struct completion *completion)
{
    int pin;

    if (completion->resfd < 0)
        return 0;
    pin = pin__get(completion->resfd, NULL);
    if (pin < 0)
        return pin;
    completion->resfd = pin;
    return 0;
}

/* A socket minds the offset, pipes and others do not. */
static void set_position(struct operation *op, mode_t type)
{
    if (S_ISSOCK(type) && op->kind <= OPERATION_WRITE && op->offset != 0)
        op->stream = false; /* then it says ESPIPE */
}

/* Whatever is queued needs a pin.  If the file has one, that tells what it is. */
static void pin_early(struct operation *op, struct completion *completion)
{
    mode_t type;

    if (op->kind > OPERATION_WRITE ||
        (op->kind == OPERATION_READ && !(completion->status & O_DIRECT)))
        return;
    completion->pin = pin__get_current(op->fd, &type);
    op->positioned = completion->pin >= 0 && (S_ISREG(type) || S_ISBLK(type));
}

static void unpin_early(struct completion *completion)
{
    if (completion->pin >= 0)
        pin__put(completion->pin);
}

static int take_file(const struct operation *op, struct completion *completion, mode_t *type)
{
    int file = completion->pin;

    if (file < 0)
        return op->kind == OPERATION_POLL ? pin__get_own(op->fd, type) : pin__get(op->fd, type);
    completion->pin = -1;
    *type = pin__type_of(file);
    return file;
}

static int pin(struct operation *op, void *face_data)
{
    struct completion *completion = face_data;
    struct context *c = completion->context;
    mode_t type;
    int file, err;

    if (op->stream && completion->status & O_NONBLOCK) {
        type = pin__type(op->fd);
        set_position(op, type);
        err = check_type(op, type);
        return err ? err : 1; /* it does not block */
    }
    file = take_file(op, completion, &type);
    if (file < 0)
        return op->stream || op->kind == OPERATION_POLL ? -EAGAIN : 1;
    err = check_type(op, type);
    if (err == 0 && pin_resfd(completion) < 0)
        err = -EAGAIN;
    if (err) {
        pin__put(file);
        return err;
    }
    set_position(op, type);
    op->fd = file;
    completion->file_write = is_file_write(op, type);
    if (completion->file_write)
        atomic_fetch_add_explicit(&writes, 1, memory_order_seq_cst);
    completion->kind = op->kind == OPERATION_POLL ? COMPLETION_POLL
                       : operation__is_stream(op) ? COMPLETION_STREAM
                                                  : COMPLETION_QUEUED;
    completion->prompt = is_prompt(op, completion, type);
    if (completion->prompt)
        atomic_fetch_add_explicit(&c->prompt, 1, memory_order_relaxed);
    return 0;
}

static void unpin(struct operation *op, void *face_data)
{
    struct completion *completion = face_data;

    if (completion->prompt)
        ring__prompt_over(completion->context);
    if (completion->resfd >= 0)
        pin__put(completion->resfd);
    pin__put(op->fd);
    write_over(completion);
}

static bool waits(const struct completion *completion)
{
    return completion->kind == COMPLETION_POLL || completion->kind == COMPLETION_STREAM;
}

/* All signals are blocked: see engine/completion.h. */
static void publish(struct request *r, ssize_t result)
{
    struct context *c = r->cookie;

    if (waits(completion_of(r)))
        waiting__remove(c, r);
    if (completion_of(r)->kind == COMPLETION_POLL && result == -ECANCELED)
        r->result = 0;
    pin__put(r->operation.fd);
    write_over(completion_of(r));
    ring__publish(c, r);
}

static const struct request_face face = {.publish = publish, .pin = pin, .unpin = unpin};

/* ---- one iocb ---------------------------------------------------------------- */

/* So that a waiter can help with it. */
static void remember(struct context *c, struct request_id id)
{
    unsigned i = atomic_fetch_add_explicit(&c->submitted, 1, memory_order_relaxed);

    atomic_store_explicit(&c->recent[i % RECENT], (uint64_t)id.index << 32 | id.generation,
                          memory_order_release); /* what is in the request, see help_one() */
}

static int list(struct context *c, struct request *r)
{
    sigset_t mask;
    int err;

    pool__signals_block(&mask);
    err = waiting__add(c, r);
    if (err) {
        unpin(&r->operation, r->face_data);
        engine__drop(r);
    }
    pool__signals_restore(&mask);
    return err == -EPERM ? -EINVAL : err; /* it cannot be polled */
}

static int start(struct context *c, struct submission *s, struct batch *batch,
                 struct outcome *outcome)
{
    struct completion *completion = (struct completion *)(void *)s->face_data;
    bool refused;
    ssize_t result;
    int err = 0;

    s->face = &face;
    s->cookie = c;
    completion->context = c;
    pin_early(&s->operation, completion);
    result = engine__prepare(s, &outcome->request, &refused);
    if (!outcome->request)
        unpin_early(completion);
    if (refused)
        return (int)result;
    if (!outcome->request) {
        outcome->event =
            (struct linux_event){completion->data, completion->object, (int64_t)result, 0};
        return 0;
    }
    context__request_add(c);
    if (waits(completion))
        err = list(c, outcome->request);
    else
        remember(c, request__id(outcome->request));
    if (err)
        context__request_over(c);
    if (err == 0 && s->operation.kind != OPERATION_POLL)
        engine__add(batch, outcome->request);
    return err;
}

int submit__reserved(struct context *c, struct iocb_checker *checker, void *user,
                     const struct linux_iocb *iocb, const struct operation *tried,
                     struct batch *batch)
{
    struct submission s = {.notice = {.kind = NOTICE_NONE}};
    struct completion *completion = (struct completion *)(void *)s.face_data;
    struct outcome outcome = {.request = NULL};
    struct resfd resfd;
    int err;

    if (tried)
        s.operation = *tried;
    err = iocb__check(checker, user, iocb, &s, &outcome.event.res);
    resfd = (struct resfd){completion->resfd, completion->resfd_waits};
    if (err == IOCB_OVER)
        outcome.event =
            (struct linux_event){completion->data, completion->object, outcome.event.res, 0};
    else if (err == 0)
        err = start(c, &s, batch, &outcome);
    if (err < 0) {
        ring__unreserve(c);
        return err;
    }
    if (!outcome.request)
        ring__publish_inline(c, &outcome.event, resfd);
    return 0;
}

int submit__one(struct context *c, struct iocb_checker *checker, void *user, struct batch *batch)
{
    struct linux_iocb iocb;
    int err = iocb__read(user, &iocb);

    if (err)
        return err;
    if (!ring__reserve(c))
        return -EAGAIN;
    if (!context__alive(c)) {
        ring__unreserve(c);
        return -EINVAL;
    }
    return submit__reserved(c, checker, user, &iocb, NULL, batch);
}
