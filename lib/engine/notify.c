/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "notify.h"
#include "list.h"
#include "process.h"
#include "os/thread.h"
#include "signal_queue.h"
#include "stats.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

/* Callbacks at once; the rest waits for one of them to end. */
#define MAX_CALLBACKS POOL_MAX_THREADS

struct pool notify__callbacks;

static void run_notice(struct pool *p, struct pool_job *job);
static void reset_resender(void);

void notify__init(unsigned idle_ms)
{
    static const struct pool_hooks hooks = {.run = run_notice};
    const struct pool_config config = {
        .hooks = &hooks,
        .name = "uaio-notify",
        .max_threads = MAX_CALLBACKS,
        .idle_ms = idle_ms,
    };
    pool__init(&notify__callbacks, &config);
    reset_resender();
}

struct pool *notify__pool(void)
{
    return &notify__callbacks;
}

int notify__check(const struct notice *notice)
{
    switch (notice->kind) {
    case NOTICE_NONE:
        return 0;
    case NOTICE_THREAD:
        return notice->function ? 0 : -EINVAL;
    case NOTICE_THREAD_ID:
        if (notice->thread_id <= 0)
            return -EINVAL;
        /* fall through */
    case NOTICE_SIGNAL:
        return notice->signal >= 0 && notice->signal <= uaio__signal_max() ? 0 : -EINVAL;
    }
    return -EINVAL;
}

/* False: the queue is full. */
static bool send_signal(const struct notice *notice)
{
    pid_t thread = notice->kind == NOTICE_THREAD_ID ? notice->thread_id : 0;

    if (notice->signal == 0)
        return true; /* a zero-filled sigevent */
    return uaio__signal_queue(thread, notice->signal, notice->value) != -EAGAIN;
}

/* Deliver it here and now; false if it needs a thread or the queue is full. */
static bool deliver(const struct notice *notice)
{
    if (notice->kind == NOTICE_NONE)
        return true;
    if (notice->kind == NOTICE_THREAD || !send_signal(notice))
        return false;
    uaio__count(STAT_SIGNALS);
    return true;
}

/* The notice is delivered, or its callback is over.  The end of a list may run
 * a callback here that forks: see notify__send(). */
static void delivered(void *arg)
{
    struct request *r = arg;

    if (r->group && !list__member_over(r->group))
        return;
    request__release(r);
}

/* ---- signals that did not fit ---------------------------------------------- */

/* One thread for all of them: the queue is full for all. */
static struct {
    pthread_mutex_t lock; /* taken with all signals blocked */
    struct queue waiting; /* lock; requests, by notice_job.node */
    bool running;         /* lock; `job` is posted */
    struct pool_job job;
} resender = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void reset_resender(void)
{
    pthread_mutex_init(&resender.lock, NULL);
    queue_init(&resender.waiting);
    resender.running = false;
}

static void send_later(struct request *r)
{
    bool running;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&resender.lock);
    queue_push_back(&resender.waiting, &r->notice_job.node);
    running = resender.running;
    resender.running = true;
    pthread_mutex_unlock(&resender.lock);
    pool__signals_restore(&mask);
    if (running)
        return;
    pool__job_init(&resender.job, 0, POOL_BLOCKING);
    pool__post(&notify__callbacks, &resender.job, &resender.job, POOL_BLOCKING);
}

/* The first in the line; NULL: it is empty, and nobody runs it any more. */
static struct request *first_waiting(void)
{
    struct queue_node *node;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&resender.lock);
    node = queue_first(&resender.waiting);
    if (node)
        queue_remove(node);
    else
        resender.running = false;
    pthread_mutex_unlock(&resender.lock);
    pool__signals_restore(&mask);
    return node ? queue_entry(node, struct request, notice_job.node) : NULL;
}

static void resend_all(void)
{
    struct request *r;

    while ((r = first_waiting())) {
        struct timespec pause = {0, 1000000};
        while (!deliver(&r->notice)) {
            nanosleep(&pause, NULL);
            if (pause.tv_nsec < 64000000)
                pause.tv_nsec *= 2;
        }
        delivered(r);
    }
}

bool notify__send(struct request *r)
{
    unsigned epoch = process__epoch();

    request__hold(r);
    if (deliver(&r->notice)) {
        delivered(r);
    } else if (r->notice.kind != NOTICE_THREAD) {
        send_later(r);
    } else {
        pool__job_init(&r->notice_job, 0, POOL_BLOCKING);
        pool__post(&notify__callbacks, &r->notice_job, &r->notice_job, POOL_BLOCKING);
    }
    return epoch == process__epoch();
}

/* ---- in a thread of the pool --------------------------------------------- */

static void restore(void *mask)
{
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* A callback, as its thread's stack remembers it. */
struct callback {
    struct request *request;
    unsigned epoch;
    sigset_t mask;
};

/* It is over.  In a child that it has forked, the request was never ours. */
static void callback_over(void *arg)
{
    struct callback *callback = arg;

    process__check();
    if (callback->epoch == process__epoch())
        delivered(callback->request);
}

/*
 * The program's code, in a thread such as it expects: no signal blocked, may
 * be cancelled.  The cleanups count for pthread_exit() and cancellation too.
 */
static void call_back(struct request *r)
{
    struct callback callback = {.request = r, .epoch = process__epoch()};
    sigset_t none;
    int state;

    uaio__count(STAT_CALLBACKS);
    sigemptyset(&none);
    pthread_cleanup_push(callback_over, &callback);
    pthread_sigmask(SIG_SETMASK, &none, &callback.mask);
    pthread_cleanup_push(restore, &callback.mask);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    r->notice.function(r->notice.value);
    pthread_testcancel(); /* what is pending is this callback's, not the next one's */
    pthread_setcancelstate(state, &state);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &state);
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(1);
}

/* The callback may destroy the attributes, which pthread_create() reads until it
 * returns. */
struct start {
    struct request *request;
    sem_t go;
    sem_t gone;
};

static void take(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) /* EINTR: stopped and continued */
        ;
}

static void *attributed_main(void *arg)
{
    struct start *start = arg;
    struct request *r = start->request;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    take(&start->go);
    sem_post(&start->gone);
    call_back(r);
    return NULL;
}

/* A thread made as the program asks: 0, or an errno. */
static int start_attributed(struct request *r)
{
    struct start start = {.request = r};
    pthread_t thread;
    int detached = PTHREAD_CREATE_JOINABLE;
    int err;
    sigset_t mask;

    sem_init(&start.go, 0, 0);
    sem_init(&start.gone, 0, 0);
    pthread_attr_getdetachstate(r->notice.attributes, &detached);
    pool__signals_block(&mask);
    err = pthread_create(&thread, r->notice.attributes, attributed_main, &start);
    if (!err) {
        if (detached == PTHREAD_CREATE_JOINABLE)
            pthread_detach(thread);
        sem_post(&start.go);
        take(&start.gone);
    }
    pool__signals_restore(&mask);
    sem_destroy(&start.go);
    sem_destroy(&start.gone);
    return err;
}

static void run_notice(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_notice_job(job);

    (void)p;
    if (job == &resender.job)
        resend_all();
    else if (!r->notice.attributes || start_attributed(r) != 0)
        call_back(r);
}
