/* SPDX-License-Identifier: MIT */
/* The umbrella: everything a program that uses whorl needs. */
#ifndef WHORL_WHORL_H
#define WHORL_WHORL_H

#include <whorl/base.h>
#include <whorl/broadcast.h>
#include <whorl/buffered.h>
#include <whorl/chan.h>
#include <whorl/dial.h>
#include <whorl/dir.h>
#include <whorl/dns.h>
#include <whorl/embed.h>
#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/file.h>
#include <whorl/future.h>
#include <whorl/generator.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/http_auth.h>
#include <whorl/http_cookies.h>
#include <whorl/http_form.h>
#include <whorl/http_proxy.h>
#include <whorl/http_retry.h>
#include <whorl/http_retry_budget.h>
#include <whorl/http_server.h>
#include <whorl/http_trace.h>
#include <whorl/interval.h>
#include <whorl/io.h>
#include <whorl/limiter.h>
#include <whorl/local.h>
#include <whorl/map.h>
#include <whorl/memory.h>
#include <whorl/net.h>
#include <whorl/offload.h>
#include <whorl/process.h>
#include <whorl/process_pool.h>
#include <whorl/run.h>
#include <whorl/runner.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/serve.h>
#include <whorl/shared_chan.h>
#include <whorl/signal.h>
#include <whorl/stop.h>
#include <whorl/stream.h>
#include <whorl/sync.h>
#include <whorl/task.h>
#include <whorl/text.h>
#include <whorl/tls.h>
#include <whorl/tls_server.h>
#include <whorl/trace.h>
#include <whorl/url.h>
#include <whorl/watch.h>

#endif
